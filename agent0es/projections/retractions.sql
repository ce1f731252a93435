-- One row per retraction: a person declared a task or an attempt bad.

CREATE TABLE retractions (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    what VARCHAR NOT NULL,
    task INTEGER,
    attempt VARCHAR,
    reason VARCHAR NOT NULL,
    actor VARCHAR NOT NULL
);
COMMENT ON TABLE retractions IS 'What was retracted: no dataset that was built later holds it.';
COMMENT ON COLUMN retractions.run IS 'Name of the run.';
COMMENT ON COLUMN retractions.position IS 'Place in the log.';
COMMENT ON COLUMN retractions.time IS 'When, UTC.';
COMMENT ON COLUMN retractions.what IS 'Number of a task, which stands for its attempts too, or name of an attempt.';
COMMENT ON COLUMN retractions.task IS 'Number of the task.';
COMMENT ON COLUMN retractions.attempt IS 'Name of the attempt; NULL when the whole task was retracted.';
COMMENT ON COLUMN retractions.reason IS 'Why, in the words of who did it.';
COMMENT ON COLUMN retractions.actor IS 'Account of who did it.';

INSERT INTO retractions BY NAME
SELECT
    run, position, time, c.what, facts.task_of(c.what) AS task,
    CASE WHEN facts.is_attempt(c.what) THEN c.what END AS attempt, c.reason, c.actor
FROM (
    SELECT run, position, time, from_json(content, '{
        "what": "VARCHAR", "reason": "VARCHAR", "actor": "VARCHAR"}') AS c
    FROM batch WHERE type = 'Retracted'
);
