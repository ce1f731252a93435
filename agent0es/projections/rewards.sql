-- One row per reward: of each attempt of practice, and of the teacher for each task.

CREATE TABLE rewards (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    role VARCHAR NOT NULL,
    task INTEGER NOT NULL,
    attempt VARCHAR,
    components MAP(VARCHAR, DOUBLE) NOT NULL,
    total DOUBLE NOT NULL
);
COMMENT ON TABLE rewards IS 'Every reward that was assigned.';
COMMENT ON COLUMN rewards.run IS 'Name of the run.';
COMMENT ON COLUMN rewards.position IS 'Place in the log.';
COMMENT ON COLUMN rewards.time IS 'When, UTC.';
COMMENT ON COLUMN rewards.role IS 'Who is rewarded: teacher or student.';
COMMENT ON COLUMN rewards.task IS 'Number of the task.';
COMMENT ON COLUMN rewards.attempt IS 'Attempt that is rewarded; NULL for the teacher.';
COMMENT ON COLUMN rewards.components IS 'Component to value before weights, e.g. components[''novelty''].';
COMMENT ON COLUMN rewards.total IS 'Weighted sum of the components.';

INSERT INTO rewards BY NAME
SELECT run, position, time, unnest(c)
FROM (
    SELECT run, position, time, from_json(content, '{
        "role": "VARCHAR", "task": "INTEGER", "attempt": "VARCHAR", "components": "MAP(VARCHAR, DOUBLE)",
        "total": "DOUBLE"}') AS c
    FROM batch WHERE type = 'RewardAssigned'
);
