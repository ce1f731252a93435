-- One row per round of practice, training and evaluation.

CREATE TABLE facts.iteration_started (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    iteration INTEGER NOT NULL
);

INSERT INTO facts.iteration_started BY NAME
SELECT run, position, time, (content ->> '$.iteration')::INTEGER AS iteration
FROM batch WHERE type = 'IterationStarted';

CREATE TABLE facts.iteration_completed (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    iteration INTEGER NOT NULL
);

INSERT INTO facts.iteration_completed BY NAME
SELECT run, position, time, (content ->> '$.iteration')::INTEGER AS iteration
FROM batch WHERE type = 'IterationCompleted';

CREATE TABLE facts.practice_measured (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    iteration INTEGER NOT NULL,
    proposals INTEGER NOT NULL,
    diversity DOUBLE,
    repeats INTEGER NOT NULL,
    computed INTEGER NOT NULL,
    confirmed INTEGER NOT NULL,
    doubted INTEGER NOT NULL,
    log_probability DOUBLE
);

INSERT INTO facts.practice_measured BY NAME
SELECT run, position, time, unnest(c)
FROM (
    SELECT run, position, time, from_json(content, '{
        "iteration": "INTEGER", "proposals": "INTEGER", "diversity": "DOUBLE", "repeats": "INTEGER",
        "computed": "INTEGER", "confirmed": "INTEGER", "doubted": "INTEGER", "log_probability": "DOUBLE"}') AS c
    FROM batch WHERE type = 'PracticeMeasured'
);

CREATE VIEW iterations AS
WITH practice AS (
    SELECT
        run, iteration, count(*) FILTER (status = 'completed') AS tasks,
        count(*) FILTER (status = 'given_up') AS given_up, sum(rejected)::BIGINT AS rejected,
        coalesce(sum(attempts), 0)::BIGINT AS attempts, coalesce(sum(solved), 0)::BIGINT AS solved,
        avg(difficulty) FILTER (status = 'completed') AS difficulty
    FROM tasks GROUP BY run, iteration
),
rewarded AS (
    SELECT
        t.run, t.iteration, avg(w.total) FILTER (w.role = 'student') AS student_reward,
        avg(w.total) FILTER (w.role = 'teacher') AS teacher_reward
    FROM rewards w JOIN tasks t ON t.run = w.run AND t.task = w.task
    GROUP BY t.run, t.iteration
),
begun AS (
    FROM facts.iteration_started
    UNION ALL BY NAME
    SELECT run, p.iteration, s.time, s.position  -- of a fork that went on within it
    FROM practice p JOIN facts.run_started s USING (run)
    WHERE NOT EXISTS (FROM facts.iteration_started i WHERE i.run = p.run AND i.iteration = p.iteration)
)
SELECT
    run, iteration, c.time AS practised, coalesce(p.tasks, 0) AS tasks, coalesce(p.given_up, 0) AS given_up,
    coalesce(p.rejected, 0) AS rejected, coalesce(p.attempts, 0) AS attempts, coalesce(p.solved, 0) AS solved,
    CASE WHEN p.attempts > 0 THEN p.solved / p.attempts END AS solve_rate, p.difficulty, w.student_reward,
    w.teacher_reward, m.diversity,
    CASE WHEN m.proposals + m.repeats > 0 THEN m.repeats / (m.proposals + m.repeats) END AS repeated,
    CASE
        WHEN m.computed + m.confirmed + m.doubted > 0
        THEN (m.computed + m.confirmed) / (m.computed + m.confirmed + m.doubted)
    END AS label_accuracy,
    m.log_probability, s.time AS started, s.position
FROM begun s
LEFT JOIN facts.iteration_completed c USING (run, iteration)
LEFT JOIN practice p USING (run, iteration)
LEFT JOIN rewarded w USING (run, iteration)
LEFT JOIN facts.practice_measured m USING (run, iteration);
COMMENT ON VIEW iterations IS 'Every iteration, with the figures of its practice so far.';
COMMENT ON COLUMN iterations.run IS 'Name of the run.';
COMMENT ON COLUMN iterations.iteration IS 'Counted from 1.';
COMMENT ON COLUMN iterations.practised IS 'When its practice was over, UTC; NULL until then.';
COMMENT ON COLUMN iterations.tasks IS 'Tasks that were completed.';
COMMENT ON COLUMN iterations.given_up IS 'Tasks for which there was no usable proposal, or whose handler failed.';
COMMENT ON COLUMN iterations.rejected IS 'Proposals that were refused.';
COMMENT ON COLUMN iterations.attempts IS 'Attempts at the completed tasks.';
COMMENT ON COLUMN iterations.solved IS 'Attempts that were correct.';
COMMENT ON COLUMN iterations.solve_rate IS 'solved / attempts.';
COMMENT ON COLUMN iterations.difficulty IS 'Mean over completed tasks.';
COMMENT ON COLUMN iterations.student_reward IS 'Mean over attempts.';
COMMENT ON COLUMN iterations.teacher_reward IS 'Mean over tasks.';
COMMENT ON COLUMN iterations.diversity IS 'Of the tasks, in [0, 1]: 1 where no two are of a kind, 0 where all are; NULL before the gate has decided.';
COMMENT ON COLUMN iterations.repeated IS 'Share of the proposals that were refused because they repeat an earlier task; NULL before then, too.';
COMMENT ON COLUMN iterations.label_accuracy IS 'Share of right labels: those of families were computed, and of freely written tasks those are taken to be wrong that most of the attempts contradict with one voice; NULL before then.';
COMMENT ON COLUMN iterations.log_probability IS 'Mean log-probability of a token in the attempts: near 0 there is nothing left to choose between; NULL before then.';
COMMENT ON COLUMN iterations.started IS 'UTC; where a fork went on within it, when it was forked.';
COMMENT ON COLUMN iterations.position IS 'Place of its start in the log.';
