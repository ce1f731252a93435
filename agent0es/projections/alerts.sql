-- What somebody should look at: conditions over the other tables, and what the guard said.

CREATE TABLE facts.alarm_raised (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    kind VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    iteration INTEGER NOT NULL,
    value DOUBLE NOT NULL,
    message VARCHAR NOT NULL
);

INSERT INTO facts.alarm_raised BY NAME
SELECT run, position, time, unnest(c)
FROM (
    SELECT run, position, time, from_json(content, '{
        "kind": "VARCHAR", "role": "VARCHAR", "iteration": "INTEGER", "value": "DOUBLE", "message": "VARCHAR"}') AS c
    FROM batch WHERE type = 'AlarmRaised'
);

CREATE VIEW facts.guarded AS
SELECT run, time, position, kind, format('iteration {}', iteration) AS subject, value, message FROM facts.alarm_raised
UNION ALL
SELECT
    run, time, position, 'rolled_back' AS kind, adapter AS subject, NULL AS value,
    format('{} was rolled back, {} is in use again: {}', adapter, coalesce(in_its_place, 'the base model'), reason)
        AS message
FROM facts.adapter_rolled_back
UNION ALL
SELECT
    run, time, position, 'stopped' AS kind, format('iteration {}', iteration) AS subject, NULL AS value,
    format('the run was stopped: {}', reason) AS message
FROM facts.run_stopped;

CREATE VIEW alerts AS
WITH outcomes AS (
    SELECT run, ended AS time, position, 'tool calls' AS what, status <> 'ok' AS failed
    FROM tool_calls WHERE status <> 'unknown' AND purpose = 'solution'
    UNION ALL
    SELECT run, time, position, 'attempts' AS what, NOT coalesce(correct, false) AS failed
    FROM verifications WHERE task IS NOT NULL
),
numbered AS (
    SELECT *, (row_number() OVER (PARTITION BY run, what ORDER BY position) - 1) // 50 AS stretch FROM outcomes
),
stretches AS (
    SELECT run, what, max(time) AS time, max(position) AS position, avg(failed::INTEGER) AS rate
    FROM numbered GROUP BY run, what, stretch HAVING count(*) = 50
),
rewarded AS (
    SELECT run, iteration, coalesce(practised, started) AS time, position, student_reward AS reward,
        lag(student_reward) OVER (PARTITION BY run ORDER BY iteration) AS previous
    FROM iterations
)
SELECT
    run, time, position, 'failure_rate' AS kind, what AS subject, rate AS value,
    format('{:.0f}% of 50 {} in a row failed', 100 * rate, what) AS message
FROM stretches WHERE rate > 0.5
UNION ALL
SELECT
    run, coalesce(ended, requested) AS time, position, status AS kind, call AS subject,
    CASE status WHEN 'timeout' THEN seconds ELSE peak_memory_mb END AS value,
    CASE status
        WHEN 'timeout' THEN format('{} {} ran past its limit of {} s', tool, call, timeout_seconds)
        ELSE format('{} {} reached a limit on output or memory ({} MB)', tool, call, memory_limit_mb)
    END AS message
FROM tool_calls WHERE status IN ('timeout', 'limit')
UNION ALL
SELECT
    run, time, position, 'reward_decrease' AS kind, format('iteration {}', iteration) AS subject, reward AS value,
    format('the mean reward of an attempt fell from {:.3f} to {:.3f}', previous, reward) AS message
FROM rewarded WHERE reward < 0.9 * previous
UNION ALL
SELECT
    run, time, position, kind || '_failure' AS kind, coalesce(handler, adapter) AS subject, NULL AS value,
    error AS message
FROM failures
UNION ALL
SELECT run, time, position, kind, subject, value, message FROM facts.guarded
UNION ALL
SELECT
    u.run, t.time, u.tainted_at AS position, 'tainted_adapter' AS kind, u.adapter AS subject, NULL AS value,
    format('{} is in use but learnt from what was retracted since ({}); rebuild it with agent0es train {} --without-retracted',
        u.adapter, list_aggregate(u.tainted_by, 'string_agg', ', '), u.run) AS message
FROM facts.in_use u JOIN retractions t ON t.position = u.tainted_at
WHERE u.tainted_by IS NOT NULL;
COMMENT ON VIEW alerts IS 'What somebody should look at, in every run.';
COMMENT ON COLUMN alerts.run IS 'Name of the run.';
COMMENT ON COLUMN alerts.time IS 'When it happened, UTC.';
COMMENT ON COLUMN alerts.position IS 'Place in the log of the event that it is about.';
COMMENT ON COLUMN alerts.kind IS 'failure_rate, timeout, limit, reward_decrease, handler_failure, training_failure or tainted_adapter; of the guard diversity, repetition, labels, answers, held_out, learning, rolled_back or stopped.';
COMMENT ON COLUMN alerts.subject IS 'What it is about: tool calls or attempts, a call, an iteration, a handler, an adapter.';
COMMENT ON COLUMN alerts.value IS 'The rate of failures, the seconds or MB of the call, the mean reward, what the guard measured; NULL for failures.';
COMMENT ON COLUMN alerts.message IS 'One line for a person. May quote a model: hostile.';
