-- Handlers that failed for good, and trainings that ended without an adapter.

CREATE TABLE failures (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    kind VARCHAR NOT NULL,
    handler VARCHAR,
    cause BIGINT,
    task INTEGER,
    adapter VARCHAR,
    error VARCHAR NOT NULL,
    traceback VARCHAR
);
COMMENT ON TABLE failures IS 'What went wrong for good.';
COMMENT ON COLUMN failures.run IS 'Name of the run.';
COMMENT ON COLUMN failures.position IS 'Place in the log.';
COMMENT ON COLUMN failures.time IS 'When, UTC.';
COMMENT ON COLUMN failures.kind IS 'handler or training.';
COMMENT ON COLUMN failures.handler IS 'Handler that raised.';
COMMENT ON COLUMN failures.cause IS 'Position of the event that it was handling.';
COMMENT ON COLUMN failures.task IS 'Task that was dropped for it; NULL when the run stopped instead.';
COMMENT ON COLUMN failures.adapter IS 'Adapter that was to be trained.';
COMMENT ON COLUMN failures.error IS 'Type and message.';
COMMENT ON COLUMN failures.traceback IS 'Where it happened.';

INSERT INTO failures BY NAME
SELECT
    run, position, time, 'handler' AS kind, c.handler, c.cause, c.task, NULL AS adapter, c.error,
    c.traceback
FROM (
    SELECT run, position, time, from_json(content, '{
        "handler": "VARCHAR", "cause": "BIGINT", "task": "INTEGER", "error": "VARCHAR", "traceback": "VARCHAR"}') AS c
    FROM batch WHERE type = 'HandlerFailed'
);

INSERT INTO failures BY NAME
SELECT run, position, time, 'training' AS kind, c.adapter, c.reason AS error
FROM (
    SELECT run, position, time, from_json(content, '{"adapter": "VARCHAR", "reason": "VARCHAR"}') AS c
    FROM batch WHERE type = 'TrainingFailed'
);
