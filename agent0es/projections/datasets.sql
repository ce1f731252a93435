-- One row per training dataset. The file itself is `datasets/<run>/<adapter>.jsonl` in the store.

CREATE TABLE datasets (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    adapter VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    iteration INTEGER NOT NULL,
    method VARCHAR NOT NULL,
    start VARCHAR,
    examples INTEGER NOT NULL,
    sha256 VARCHAR NOT NULL,
    thought INTEGER NOT NULL,
    left_out MAP(VARCHAR, INTEGER) NOT NULL,
    per_family MAP(VARCHAR, INTEGER) NOT NULL,
    sources VARCHAR[] NOT NULL
);
COMMENT ON TABLE datasets IS 'Every training dataset that was built.';
COMMENT ON COLUMN datasets.run IS 'Name of the run.';
COMMENT ON COLUMN datasets.position IS 'Place in the log.';
COMMENT ON COLUMN datasets.time IS 'When, UTC.';
COMMENT ON COLUMN datasets.adapter IS 'Adapter that it was built for.';
COMMENT ON COLUMN datasets.role IS 'Who is trained.';
COMMENT ON COLUMN datasets.iteration IS 'Iteration after which it was built.';
COMMENT ON COLUMN datasets.method IS 'Training method that the rows are for.';
COMMENT ON COLUMN datasets.start IS 'Adapter that the training goes on from; NULL where it begins at the base model.';
COMMENT ON COLUMN datasets.examples IS 'Rows of the file.';
COMMENT ON COLUMN datasets.sha256 IS 'Hash of the file''s bytes.';
COMMENT ON COLUMN datasets.thought IS 'Examples that were left out because the model thought before it wrote.';
COMMENT ON COLUMN datasets.left_out IS 'Other reasons for which examples were left out, to how many.';
COMMENT ON COLUMN datasets.per_family IS 'Family to rows.';
COMMENT ON COLUMN datasets.sources IS 'Attempts (student) or task numbers (teacher) behind the rows, in order.';

INSERT INTO datasets BY NAME
SELECT run, position, time, unnest(c)
FROM (
    SELECT run, position, time, from_json(content, '{
        "adapter": "VARCHAR", "role": "VARCHAR", "iteration": "INTEGER", "method": "VARCHAR", "start": "VARCHAR",
        "examples": "INTEGER", "sha256": "VARCHAR",
        "thought": "INTEGER", "left_out": "MAP(VARCHAR, INTEGER)", "per_family": "MAP(VARCHAR, INTEGER)",
        "sources": ["VARCHAR"]}') AS c
    FROM batch WHERE type = 'DatasetBuilt'
);
