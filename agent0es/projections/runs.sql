-- One row per run.

CREATE TABLE facts.run_completed (
    run VARCHAR NOT NULL,
    time TIMESTAMP NOT NULL
);

INSERT INTO facts.run_completed BY NAME
SELECT run, time FROM batch WHERE type = 'RunCompleted';

CREATE TABLE facts.run_stopped (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    iteration INTEGER NOT NULL,
    reason VARCHAR NOT NULL
);

INSERT INTO facts.run_stopped BY NAME
SELECT run, position, time, unnest(c)
FROM (
    SELECT run, position, time, from_json(content, '{"iteration": "INTEGER", "reason": "VARCHAR"}') AS c
    FROM batch WHERE type = 'RunStopped'
);

-- How far each run is. Whoever draws one asks for it, so it is a view of its own: `runs` takes ten times as long to plan.
CREATE VIEW facts.run_status AS
WITH seen AS (
    SELECT
        run, count(*) AS events, max(time) AS last_event,
        count(*) FILTER (type NOT IN ('RunStarted', 'RunForked', 'Retracted')) AS deeds,
        max(time) FILTER (type <> 'Retracted') AS last_deed
    FROM facts.event GROUP BY run
),
failed AS (
    SELECT run, max(time) FILTER (kind = 'handler' AND task IS NULL) AS stopped FROM failures GROUP BY run
)
SELECT
    run,
    CASE
        WHEN c.run IS NOT NULL THEN 'completed'
        WHEN e.deeds = 0 THEN 'not started'
        -- What was under way when it failed may be appended after that.
        WHEN f.stopped >= e.last_deed - INTERVAL 1 SECOND THEN 'failed'
        ELSE 'unfinished'
    END AS status,
    e.events, e.last_event, c.time AS ended, s.position
FROM facts.run_started s
LEFT JOIN facts.run_completed c USING (run) LEFT JOIN seen e USING (run) LEFT JOIN failed f USING (run);

CREATE VIEW runs AS
WITH begun AS (
    SELECT h.run, max(i.iteration) AS iteration
    FROM histories h JOIN facts.iteration_started i ON i.run = h.ancestor AND i.position <= h.until
    GROUP BY h.run
),
practice AS (
    SELECT
        run, sum(tasks)::BIGINT AS tasks, sum(given_up)::BIGINT AS given_up,
        sum(attempts)::BIGINT AS attempts, sum(solved)::BIGINT AS solved
    FROM iterations GROUP BY run
),
serving AS (
    SELECT
        run, any_value(adapter) FILTER (role = 'student') AS student,
        any_value(adapter) FILTER (role = 'teacher') AS teacher,
        coalesce(list(adapter ORDER BY role) FILTER (tainted_by IS NOT NULL), []) AS tainted
    FROM facts.in_use GROUP BY run
),
failed AS (
    SELECT run, count(*) AS failures FROM failures GROUP BY run
),
written AS (
    SELECT
        run, count(*) AS model_calls, sum(prompt_tokens)::BIGINT AS prompt_tokens,
        sum(completion_tokens)::BIGINT AS completion_tokens
    FROM model_calls GROUP BY run
),
called AS (
    SELECT run, count(*) AS tool_calls FROM facts.tool_requested GROUP BY run
)
SELECT
    run, e.status,
    coalesce(b.iteration, 0) AS iteration, coalesce(p.tasks, 0) AS tasks, coalesce(p.given_up, 0) AS given_up,
    coalesce(p.attempts, 0) AS attempts, coalesce(p.solved, 0) AS solved,
    CASE WHEN p.attempts > 0 THEN p.solved / p.attempts END AS solve_rate, v.student AS serving_student,
    v.teacher AS serving_teacher, coalesce(v.tainted, []) AS tainted, coalesce(f.failures, 0) AS failures, coalesce(w.model_calls, 0) AS model_calls,
    coalesce(w.prompt_tokens, 0) AS prompt_tokens, coalesce(w.completion_tokens, 0) AS completion_tokens,
    coalesce(l.tool_calls, 0) AS tool_calls, e.events, s.time AS started,
    e.last_event, e.ended, t.reason AS stopped, s.seed, s.code_version, s.weights, s.configuration, s.parent, s.forked_at, s.position
FROM facts.run_started s
JOIN facts.run_status e USING (run)
LEFT JOIN begun b USING (run)
LEFT JOIN practice p USING (run)
LEFT JOIN serving v USING (run)
LEFT JOIN failed f USING (run)
LEFT JOIN written w USING (run)
LEFT JOIN called l USING (run)
LEFT JOIN facts.run_stopped t USING (run);
COMMENT ON VIEW runs IS 'Every run, with its figures so far.';
COMMENT ON COLUMN runs.run IS 'Name of the run.';
COMMENT ON COLUMN runs.status IS 'completed, failed (a handler stopped it), not started (a fork that was only created), or unfinished: the log can''t tell whether it is running now, agent0es runs can.';
COMMENT ON COLUMN runs.iteration IS 'Iteration that it is in; 0 before the first.';
COMMENT ON COLUMN runs.tasks IS 'Tasks that were completed.';
COMMENT ON COLUMN runs.given_up IS 'Tasks without a usable proposal, or whose handler failed.';
COMMENT ON COLUMN runs.attempts IS 'Attempts at the completed tasks.';
COMMENT ON COLUMN runs.solved IS 'Attempts that were correct.';
COMMENT ON COLUMN runs.solve_rate IS 'solved / attempts.';
COMMENT ON COLUMN runs.serving_student IS 'Adapter that the student answers with; NULL is the base model.';
COMMENT ON COLUMN runs.serving_teacher IS 'Adapter that the teacher answers with; NULL is the base model.';
COMMENT ON COLUMN runs.tainted IS 'Adapters in use that learnt from what was retracted since; rebuild one with agent0es train RUN --without-retracted.';
COMMENT ON COLUMN runs.failures IS 'Rows of the table failures.';
COMMENT ON COLUMN runs.model_calls IS 'Generations, held-out problems included.';
COMMENT ON COLUMN runs.prompt_tokens IS 'Tokens that models read, cached ones included.';
COMMENT ON COLUMN runs.completion_tokens IS 'Tokens that models wrote.';
COMMENT ON COLUMN runs.tool_calls IS 'Tool calls, those of the verifier included.';
COMMENT ON COLUMN runs.events IS 'Events in the log.';
COMMENT ON COLUMN runs.started IS 'UTC.';
COMMENT ON COLUMN runs.last_event IS 'When the latest event was appended, UTC.';
COMMENT ON COLUMN runs.ended IS 'When it was completed, UTC.';
COMMENT ON COLUMN runs.stopped IS 'Why the guard ended it before its last iteration; NULL where it did not.';
COMMENT ON COLUMN runs.seed IS 'Every random choice of the run derives from it.';
COMMENT ON COLUMN runs.code_version IS 'Version of agent0es that started it.';
COMMENT ON COLUMN runs.weights IS 'Model name to sha256 of its weights.';
COMMENT ON COLUMN runs.configuration IS 'The full configuration.';
COMMENT ON COLUMN runs.parent IS 'Run that it was forked from; its other columns count what the fork did itself.';
COMMENT ON COLUMN runs.forked_at IS 'Position of the last event that it shares with its parent.';
COMMENT ON COLUMN runs.position IS 'Place of its start in the log.';
