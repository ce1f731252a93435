-- One row per adapter, from the building of its dataset to the gate's decision.

CREATE TABLE facts.training_started (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    adapter VARCHAR NOT NULL,
    base_sha256 VARCHAR NOT NULL,
    settings JSON NOT NULL
);

INSERT INTO facts.training_started BY NAME
SELECT run, position, time, unnest(c)
FROM (
    SELECT run, position, time, from_json(content, '{"adapter": "VARCHAR", "base_sha256": "VARCHAR", "settings": "JSON"}') AS c
    FROM batch WHERE type = 'TrainingStarted'
);

CREATE TABLE facts.adapter_trained (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    adapter VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    files JSON NOT NULL,
    steps INTEGER NOT NULL,
    loss DOUBLE[] NOT NULL,
    seconds DOUBLE
);

INSERT INTO facts.adapter_trained BY NAME
SELECT
    run, position, time, c.adapter, c.path, c.files, c.steps, c.loss, seconds
FROM (
    SELECT run, position, time, (measured ->> '$.seconds')::DOUBLE AS seconds, from_json(content, '{
        "adapter": "VARCHAR", "path": "VARCHAR", "files": "JSON", "steps": "INTEGER", "loss": ["DOUBLE"]}') AS c
    FROM batch WHERE type = 'AdapterTrained'
);

CREATE TABLE facts.adapter_decided (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    adapter VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    promoted BOOLEAN NOT NULL,
    score DOUBLE,
    p_value DOUBLE,
    level DOUBLE,
    reason VARCHAR NOT NULL
);

INSERT INTO facts.adapter_decided BY NAME
SELECT
    run, position, time, c.adapter, c.role, type = 'AdapterPromoted' AS promoted, c.score, c.test.p_value, c.test.level,
    c.reason
FROM (
    SELECT run, position, time, type, from_json(content, '{
        "adapter": "VARCHAR", "role": "VARCHAR", "score": "DOUBLE", "reason": "VARCHAR",
        "test": {"p_value": "DOUBLE", "level": "DOUBLE"}}') AS c
    FROM batch WHERE type IN ('AdapterPromoted', 'AdapterRejected')
);

CREATE TABLE facts.adapter_rolled_back (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    adapter VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    iteration INTEGER NOT NULL,
    in_its_place VARCHAR,
    reason VARCHAR NOT NULL
);

INSERT INTO facts.adapter_rolled_back BY NAME
SELECT
    run, position, time, c.adapter, c.role, c.iteration, c."to" AS in_its_place, c.reason
FROM (
    SELECT run, position, time, from_json(content, '{
        "adapter": "VARCHAR", "role": "VARCHAR", "iteration": "INTEGER", "to": "VARCHAR", "reason": "VARCHAR"}') AS c
    FROM batch WHERE type = 'AdapterRolledBack'
);

-- What the adapters in a run's history, and those that they go on from, learnt from and what of it was retracted since.
-- A task stands for its attempts.
CREATE VIEW facts.tainted AS
WITH RECURSIVE known AS (
    SELECT h.run, d.run AS trained_by, d.adapter, d.position, d.start, d.sources
    FROM histories h JOIN datasets d ON d.run = h.ancestor AND d.position <= h.until
),
learnt AS (
    SELECT run, trained_by, adapter, position, start, sources, position AS at FROM known
    UNION ALL
    SELECT l.run, l.trained_by, l.adapter, l.position, k.start, k.sources, k.position AS at
    FROM learnt l JOIN known k ON k.run = l.run AND k.adapter = l.start AND k.position < l.at
)
SELECT
    l.run, l.trained_by, l.adapter, list(DISTINCT t.what ORDER BY t.what) AS tainted_by, max(t.position) AS position
FROM learnt l
JOIN histories g ON g.run = l.run
JOIN retractions t ON t.run = g.ancestor AND t.position <= g.until AND t.position > l.position
    AND len(list_filter(l.sources, lambda source: facts.covers(t.what, source))) > 0
GROUP BY ALL;

-- What a role answers with from a position on; '' is the base model.
CREATE VIEW facts.put_to_use AS
SELECT run, position, role, adapter FROM facts.adapter_decided WHERE promoted
UNION ALL
SELECT run, position, role, coalesce(in_its_place, '') AS adapter FROM facts.adapter_rolled_back;

-- The adapters in use at the end of a run's history: in a fork perhaps one that its past trained.
CREATE VIEW facts.in_use AS
WITH latest AS (
    SELECT h.run, u.role, arg_max(u.adapter, u.position) AS adapter
    FROM histories h JOIN facts.put_to_use u ON u.run = h.ancestor AND u.position <= h.until
    GROUP BY h.run, u.role
),
promoted AS (
    SELECT h.run, g.role, g.adapter, arg_max(g.run, g.position) AS trained_by
    FROM histories h JOIN facts.adapter_decided g ON g.run = h.ancestor AND g.position <= h.until
    WHERE g.promoted GROUP BY h.run, g.role, g.adapter
)
SELECT u.run, u.role, u.adapter, x.tainted_by, x.position AS tainted_at
FROM latest u JOIN promoted p USING (run, role, adapter)
LEFT JOIN facts.tainted x USING (run, trained_by, adapter);

-- Those of which nothing is known after the dataset: `adapters` says 'training' of them.
CREATE VIEW facts.in_training AS
SELECT run, adapter, position FROM datasets
ANTI JOIN (
    SELECT run, adapter FROM facts.adapter_trained
    UNION ALL SELECT run, adapter FROM failures WHERE kind = 'training'
    UNION ALL SELECT run, adapter FROM evaluations WHERE arm = adapter
    UNION ALL SELECT run, adapter FROM facts.adapter_decided
    UNION ALL SELECT run, adapter FROM facts.adapter_rolled_back
) later USING (run, adapter);

CREATE VIEW adapters AS
WITH failed AS (
    SELECT run, adapter, any_value(error) AS reason FROM failures WHERE kind = 'training' GROUP BY ALL
),
evaluated AS (
    SELECT run, adapter, sum(correct) / sum(problems) AS share, avg(correct / problems) AS mean_share
    FROM evaluations WHERE arm = adapter GROUP BY ALL
)
SELECT
    run, adapter, d.role, d.iteration,
    CASE
        WHEN b.adapter IS NOT NULL THEN 'rolled_back'
        WHEN g.promoted THEN 'promoted'
        WHEN g.adapter IS NOT NULL THEN 'rejected'
        WHEN e.adapter IS NOT NULL THEN 'evaluated'
        WHEN t.adapter IS NOT NULL THEN 'trained'
        WHEN f.adapter IS NOT NULL THEN 'failed'
        ELSE 'training'
    END AS status,
    coalesce(u.adapter = d.adapter, false) AS serving, e.share, e.mean_share, g.score, g.p_value, g.level,
    coalesce(b.reason, g.reason, f.reason) AS reason, d.examples,
    d.sha256 AS dataset_sha256, s.base_sha256, s.settings, t.path, t.files, t.steps,
    t.loss, t.loss[-1] AS final_loss, t.seconds, d.time AS started, t.time AS trained, g.time AS decided,
    coalesce(x.tainted_by, []) AS tainted_by, d.position
FROM datasets d
LEFT JOIN facts.training_started s USING (run, adapter)
LEFT JOIN facts.adapter_trained t USING (run, adapter)
LEFT JOIN failed f USING (run, adapter)
LEFT JOIN evaluated e USING (run, adapter)
LEFT JOIN facts.adapter_decided g USING (run, adapter)
LEFT JOIN facts.adapter_rolled_back b USING (run, adapter)
LEFT JOIN (
    SELECT run, role, arg_max(adapter, position) AS adapter FROM facts.put_to_use GROUP BY run, role
) u ON u.run = d.run AND u.role = d.role
LEFT JOIN (SELECT run, adapter, tainted_by FROM facts.tainted WHERE trained_by = run) x USING (run, adapter);
COMMENT ON VIEW adapters IS 'Every adapter: how it was trained, what it scored, whether it is in use.';
COMMENT ON COLUMN adapters.run IS 'Name of the run.';
COMMENT ON COLUMN adapters.adapter IS 'Name of the adapter, e.g. student-1.';
COMMENT ON COLUMN adapters.role IS 'Whose adapter: teacher or student.';
COMMENT ON COLUMN adapters.iteration IS 'Iteration after which it was trained.';
COMMENT ON COLUMN adapters.status IS 'training, trained, evaluated, promoted, rejected, rolled_back or failed.';
COMMENT ON COLUMN adapters.serving IS 'True for the one in use.';
COMMENT ON COLUMN adapters.share IS 'Share of all held-out problems that it solved.';
COMMENT ON COLUMN adapters.mean_share IS 'Mean of the shares that it solved of each split, which the gate compares: each split weighs the same, however many problems it has.';
COMMENT ON COLUMN adapters.score IS 'mean_share as the gate wrote it down; NULL unless promoted.';
COMMENT ON COLUMN adapters.p_value IS 'Of the gate''s paired test, one-sided; NULL where there was none.';
COMMENT ON COLUMN adapters.level IS 'What the p-value must not be above.';
COMMENT ON COLUMN adapters.reason IS 'Why it was promoted, rejected, rolled back or not trained.';
COMMENT ON COLUMN adapters.examples IS 'Rows of its dataset.';
COMMENT ON COLUMN adapters.dataset_sha256 IS 'Hash of its dataset.';
COMMENT ON COLUMN adapters.base_sha256 IS 'Hash of the base model''s weights.';
COMMENT ON COLUMN adapters.settings IS 'Hyper-parameters.';
COMMENT ON COLUMN adapters.path IS 'Its folder, relative to the store.';
COMMENT ON COLUMN adapters.files IS 'Its files: path in its folder to sha256.';
COMMENT ON COLUMN adapters.steps IS 'Optimizer steps.';
COMMENT ON COLUMN adapters.loss IS 'Mean loss per step.';
COMMENT ON COLUMN adapters.final_loss IS 'Loss of the last step.';
COMMENT ON COLUMN adapters.seconds IS 'Wall-clock time of the training, measured.';
COMMENT ON COLUMN adapters.started IS 'When its dataset was built, UTC.';
COMMENT ON COLUMN adapters.trained IS 'UTC.';
COMMENT ON COLUMN adapters.decided IS 'When the gate decided, UTC.';
COMMENT ON COLUMN adapters.tainted_by IS 'Tasks or attempts that it, or an adapter that it goes on from, learnt from and that were retracted since; empty when there are none.';
COMMENT ON COLUMN adapters.position IS 'Place of its DatasetBuilt in the log.';
