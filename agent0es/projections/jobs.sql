-- One row per job of a schedule.

CREATE TABLE facts.job_started (
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    schedule VARCHAR NOT NULL,
    job VARCHAR NOT NULL,
    command VARCHAR[] NOT NULL,
    due VARCHAR,
    start INTEGER NOT NULL
);

INSERT INTO facts.job_started BY NAME
SELECT position, time, unnest(c)
FROM (
    SELECT position, time, from_json(content, '{
        "schedule": "VARCHAR", "job": "VARCHAR", "command": ["VARCHAR"], "due": "VARCHAR", "start": "INTEGER"}') AS c
    FROM batch WHERE type = 'JobStarted'
);

CREATE TABLE facts.job_finished (
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    schedule VARCHAR NOT NULL,
    job VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    exit_code INTEGER NOT NULL,
    message VARCHAR NOT NULL
);

INSERT INTO facts.job_finished BY NAME
SELECT position, time, unnest(c)
FROM (
    SELECT position, time, from_json(content, '{
        "schedule": "VARCHAR", "job": "VARCHAR", "outcome": "VARCHAR", "exit_code": "INTEGER",
        "message": "VARCHAR"}') AS c
    FROM batch WHERE type = 'JobFinished'
);

CREATE VIEW jobs AS
SELECT
    s.schedule, s.job, arg_max(s.command, s.position) AS command, max(s.start) AS starts,
    any_value(f.outcome) AS outcome, any_value(f.exit_code) AS exit_code, any_value(f.message) AS message,
    try_cast(any_value(s.due) AS TIMESTAMP) AS due, min(s.time) AS started, any_value(f.time) AS finished,
    min(s.position) AS position
FROM facts.job_started s LEFT JOIN facts.job_finished f USING (schedule, job)
GROUP BY s.schedule, s.job;
COMMENT ON VIEW jobs IS 'What was run for schedules.';
COMMENT ON COLUMN jobs.schedule IS 'Name of the schedule.';
COMMENT ON COLUMN jobs.job IS 'Name of the job.';
COMMENT ON COLUMN jobs.command IS 'Words of the command, as it was run last.';
COMMENT ON COLUMN jobs.starts IS 'How often it was started: more than once where it was cut off.';
COMMENT ON COLUMN jobs.outcome IS 'succeeded or failed; NULL while it goes on, or where it was cut off.';
COMMENT ON COLUMN jobs.exit_code IS 'Of the command; negative is a signal.';
COMMENT ON COLUMN jobs.message IS 'The last line that it wrote. Hostile.';
COMMENT ON COLUMN jobs.due IS 'When it was to begin, UTC; NULL for one that somebody asked for.';
COMMENT ON COLUMN jobs.started IS 'UTC.';
COMMENT ON COLUMN jobs.finished IS 'UTC.';
COMMENT ON COLUMN jobs.position IS 'Place of its first JobStarted in the log.';
