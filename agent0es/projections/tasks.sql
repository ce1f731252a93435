-- One row per task that the curriculum asked for, from three events: requested, proposed, completed.

CREATE TABLE facts.task_requested (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    task INTEGER NOT NULL,
    iteration INTEGER NOT NULL,
    domain VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    families MAP(VARCHAR, DOUBLE) NOT NULL,
    novelty_bar DOUBLE NOT NULL,
    seed BIGINT NOT NULL
);

INSERT INTO facts.task_requested BY NAME
SELECT run, position, time, unnest(c)
FROM (
    SELECT run, position, time, from_json(content, '{
        "task": "INTEGER", "iteration": "INTEGER", "domain": "VARCHAR", "source": "VARCHAR",
        "families": "MAP(VARCHAR, DOUBLE)", "novelty_bar": "DOUBLE", "seed": "BIGINT"}') AS c
    FROM batch WHERE type = 'TaskRequested'
);

CREATE TABLE facts.task_proposed (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    task INTEGER NOT NULL,
    iteration INTEGER NOT NULL,
    domain VARCHAR NOT NULL,
    family VARCHAR NOT NULL,
    parameters JSON NOT NULL,
    wording INTEGER NOT NULL,
    description VARCHAR NOT NULL,
    reference VARCHAR NOT NULL,
    reference_action VARCHAR NOT NULL,
    difficulty DOUBLE NOT NULL,
    novelty DOUBLE NOT NULL,
    nearest INTEGER,
    attempts INTEGER NOT NULL,
    demonstrations INTEGER NOT NULL
);

INSERT INTO facts.task_proposed BY NAME
SELECT
    run, position, time, c.task, c.iteration, c.proposal.domain, c.proposal.family, c.proposal.parameters, c.proposal.wording,
    c.proposal.description, c.proposal.reference, c.proposal.reference_action, c.proposal.difficulty, c.novelty,
    c.nearest, c.attempts, c.demonstrations
FROM (
    SELECT run, position, time, from_json(content, '{
        "task": "INTEGER", "iteration": "INTEGER", "novelty": "DOUBLE", "nearest": "INTEGER", "attempts": "INTEGER",
        "demonstrations": "INTEGER", "proposal": {
            "domain": "VARCHAR", "family": "VARCHAR", "parameters": "JSON", "wording": "INTEGER", "description": "VARCHAR",
            "reference": "VARCHAR", "reference_action": "VARCHAR", "difficulty": "DOUBLE"}}') AS c
    FROM batch WHERE type = 'TaskProposed'
);

CREATE TABLE facts.task_completed (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    task INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    solved INTEGER NOT NULL
);

INSERT INTO facts.task_completed BY NAME
SELECT run, position, time, unnest(c)
FROM (
    SELECT run, position, time, from_json(content, '{"task": "INTEGER", "attempts": "INTEGER", "solved": "INTEGER"}') AS c
    FROM batch WHERE type = 'TaskCompleted'
);

CREATE VIEW tasks AS
WITH worked_at AS (
    SELECT run, task FROM facts.task_proposed
    UNION
    SELECT run, task FROM facts.task_completed
    UNION
    SELECT run, task FROM proposals_rejected
    UNION
    SELECT run, task FROM failures WHERE kind = 'handler' AND task IS NOT NULL
),
-- What a fork went on with that was asked for before; a number stands for one task in a history.
taken_over AS (
    SELECT run, task, h.ancestor, h.until, s.time
    FROM worked_at JOIN histories h USING (run) JOIN facts.run_started s USING (run)
    WHERE h.ancestor <> run
),
asked AS (
    FROM facts.task_requested
    UNION ALL BY NAME
    SELECT o.run, o.time, r.* EXCLUDE (run, time)
    FROM taken_over o JOIN facts.task_requested r
        ON r.run = o.ancestor AND r.task = o.task AND r.position <= o.until
),
accepted AS (
    FROM facts.task_proposed
    UNION ALL BY NAME
    SELECT o.run, o.time, p.* EXCLUDE (run, time)
    FROM taken_over o JOIN facts.task_proposed p
        ON p.run = o.ancestor AND p.task = o.task AND p.position <= o.until
),
refused AS (
    SELECT run, task, count(*) AS rejected, min(tries_left) = 0 AS given_up FROM proposals_rejected GROUP BY ALL
),
failed AS (
    SELECT DISTINCT run, task FROM failures WHERE kind = 'handler' AND task IS NOT NULL
)
SELECT
    run, r.task, r.iteration,
    CASE
        WHEN c.task IS NOT NULL THEN 'completed'
        WHEN f.task IS NOT NULL OR coalesce(x.given_up, false) THEN 'given_up'
        WHEN p.task IS NOT NULL THEN 'proposed'
        ELSE 'requested'
    END AS status,
    r.domain, r.source, p.family, p.parameters, p.wording, p.description, p.reference, p.reference_action, p.difficulty,
    p.novelty, p.nearest, p.demonstrations, p.attempts AS attempts_wanted, c.attempts, c.solved,
    c.solved / c.attempts AS solve_rate, coalesce(x.rejected, 0) AS rejected, r.families AS families_offered,
    r.novelty_bar, r.seed, r.time AS requested, p.time AS proposed, c.time AS completed, r.position
FROM asked r
LEFT JOIN accepted p USING (run, task)
LEFT JOIN facts.task_completed c USING (run, task)
LEFT JOIN refused x USING (run, task)
LEFT JOIN failed f USING (run, task);
COMMENT ON VIEW tasks IS 'Every task that the curriculum asked for.';
COMMENT ON COLUMN tasks.run IS 'Name of the run.';
COMMENT ON COLUMN tasks.task IS 'Number of the task in the run, from 1.';
COMMENT ON COLUMN tasks.iteration IS 'Iteration that the task belongs to.';
COMMENT ON COLUMN tasks.status IS 'requested, proposed, completed or given_up.';
COMMENT ON COLUMN tasks.domain IS 'Task domain, e.g. math.';
COMMENT ON COLUMN tasks.source IS 'families, or freeform: the teacher was to write it itself.';
COMMENT ON COLUMN tasks.family IS 'The parametrised generator that the task belongs to; NULL until proposed, like all of the proposal.';
COMMENT ON COLUMN tasks.parameters IS 'The values that make this instance of the family.';
COMMENT ON COLUMN tasks.wording IS 'Index of the family''s wording.';
COMMENT ON COLUMN tasks.description IS 'The text that the student reads.';
COMMENT ON COLUMN tasks.reference IS 'The true answer.';
COMMENT ON COLUMN tasks.reference_action IS 'The tool call that computes the answer.';
COMMENT ON COLUMN tasks.difficulty IS '0 is easiest, 1 is hardest within the family.';
COMMENT ON COLUMN tasks.novelty IS '1 − the largest cosine similarity to an earlier task of the run.';
COMMENT ON COLUMN tasks.nearest IS 'Number of the most similar earlier task.';
COMMENT ON COLUMN tasks.demonstrations IS 'Worked examples that the student is shown.';
COMMENT ON COLUMN tasks.attempts_wanted IS 'Attempts that the student is to make.';
COMMENT ON COLUMN tasks.attempts IS 'Attempts that were judged; NULL until completed.';
COMMENT ON COLUMN tasks.solved IS 'Of those, correct ones.';
COMMENT ON COLUMN tasks.solve_rate IS 'solved / attempts.';
COMMENT ON COLUMN tasks.rejected IS 'Proposals that were refused.';
COMMENT ON COLUMN tasks.families_offered IS 'What the teacher could choose from: family to wanted difficulty.';
COMMENT ON COLUMN tasks.novelty_bar IS 'A proposal whose novelty is below this is refused.';
COMMENT ON COLUMN tasks.seed IS 'Seed of the proposal and, derived, of the attempts.';
COMMENT ON COLUMN tasks.requested IS 'When it was asked for, UTC; of one that was in flight where a run was forked, and that the fork went on with, when that was, and so for proposed.';
COMMENT ON COLUMN tasks.proposed IS 'When a proposal was accepted, UTC.';
COMMENT ON COLUMN tasks.completed IS 'When its last attempt was rewarded, UTC.';
COMMENT ON COLUMN tasks.position IS 'Place of the request in the log.';
