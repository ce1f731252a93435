-- One row per tool call that was about to run. Without an end its status is `unknown`.

CREATE TABLE facts.tool_requested (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    call VARCHAR NOT NULL,
    attempt VARCHAR NOT NULL,
    tool VARCHAR NOT NULL,
    input VARCHAR NOT NULL,
    program VARCHAR,
    purpose VARCHAR NOT NULL,
    timeout_seconds DOUBLE NOT NULL,
    memory_limit_mb INTEGER NOT NULL,
    policy_sha256 VARCHAR,
    tier VARCHAR,
    files_sha256 VARCHAR
);

INSERT INTO facts.tool_requested BY NAME
SELECT
    run, position, time, c.call, c.attempt, c.tool, c.input, c.program.name AS program, c.purpose,
    c.timeout_seconds, c.memory_limit_mb, c.policy_sha256, c.tier, c.files_sha256
FROM (
    SELECT run, position, time, from_json(content, '{
        "call": "VARCHAR", "attempt": "VARCHAR", "tool": "VARCHAR", "input": "VARCHAR", "purpose": "VARCHAR",
        "program": {"name": "VARCHAR"},
        "timeout_seconds": "DOUBLE", "memory_limit_mb": "INTEGER", "policy_sha256": "VARCHAR", "tier": "VARCHAR",
        "files_sha256": "VARCHAR"}') AS c
    FROM batch WHERE type = 'ToolRequested'
);

CREATE TABLE facts.tool_called (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    call VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    output VARCHAR NOT NULL,
    exit_code INTEGER,
    tier VARCHAR NOT NULL,
    denied VARCHAR[] NOT NULL,
    stdout VARCHAR,
    stdout_sha256 VARCHAR,
    stderr VARCHAR,
    stderr_sha256 VARCHAR,
    written STRUCT(path VARCHAR, bytes BIGINT, sha256 VARCHAR)[] NOT NULL,
    deleted VARCHAR[] NOT NULL,
    seconds DOUBLE,
    cpu_seconds DOUBLE,
    peak_memory_mb DOUBLE,
    stdout_bytes BIGINT,
    stderr_bytes BIGINT
);

INSERT INTO facts.tool_called BY NAME
SELECT
    run, position, time, c.call, c.status, c.output, c.exit_code, c.tier, coalesce(c.denied, []) AS denied, c.stdout,
    c.stdout_sha256, c.stderr, c.stderr_sha256, coalesce(c.written, []) AS written, coalesce(c.deleted, []) AS deleted,
    m.wall_seconds AS seconds, m.cpu_seconds,
    m.peak_memory_mb, m.stdout_bytes, m.stderr_bytes
FROM (
    SELECT
        run, position, time,
        from_json(measured, '{"wall_seconds": "DOUBLE", "cpu_seconds": "DOUBLE", "peak_memory_mb": "DOUBLE",
            "stdout_bytes": "BIGINT", "stderr_bytes": "BIGINT"}') AS m,
        from_json(content, '{"call": "VARCHAR", "status": "VARCHAR", "output": "VARCHAR", "exit_code": "INTEGER",
            "tier": "VARCHAR", "denied": ["VARCHAR"], "stdout": "VARCHAR", "stdout_sha256": "VARCHAR",
            "stderr": "VARCHAR", "stderr_sha256": "VARCHAR",
            "written": [{"path": "VARCHAR", "bytes": "BIGINT", "sha256": "VARCHAR"}], "deleted": ["VARCHAR"]}') AS c
    FROM batch WHERE type = 'ToolCalled'
);

CREATE VIEW tool_calls AS
SELECT
    run, r.attempt, call, facts.task_of(r.attempt) AS task, r.tool, r.input, r.program, r.purpose,
    coalesce(c.status, 'unknown') AS status, c.output, c.exit_code, coalesce(c.tier, r.tier) AS tier,
    coalesce(c.denied, []) AS denied, c.stdout, c.stdout_sha256, c.stderr, c.stderr_sha256,
    coalesce(c.written, []) AS written, coalesce(c.deleted, []) AS deleted, c.seconds, c.cpu_seconds,
    c.peak_memory_mb, c.stdout_bytes, c.stderr_bytes, r.timeout_seconds, r.memory_limit_mb, r.policy_sha256,
    r.files_sha256, r.time AS requested, c.time AS ended, r.position
FROM facts.tool_requested r
LEFT JOIN facts.tool_called c USING (run, call);
COMMENT ON VIEW tool_calls IS 'Every tool call, the student''s own and those that the verifier made.';
COMMENT ON COLUMN tool_calls.run IS 'Name of the run.';
COMMENT ON COLUMN tool_calls.attempt IS 'Attempt that it belongs to.';
COMMENT ON COLUMN tool_calls.call IS 'Name of the call: the attempt, #, and a count.';
COMMENT ON COLUMN tool_calls.task IS 'Number of the task; NULL for a held-out problem.';
COMMENT ON COLUMN tool_calls.tool IS 'Name of the tool.';
COMMENT ON COLUMN tool_calls.input IS 'Code, an expression, or a program''s data as JSON. Hostile.';
COMMENT ON COLUMN tool_calls.program IS 'Name of the verifier''s program that ran in place of the tool; NULL where the tool did.';
COMMENT ON COLUMN tool_calls.purpose IS 'solution, second_instance, verification, reference or repetition.';
COMMENT ON COLUMN tool_calls.status IS 'ok, error, timeout, denied, limit; unknown when the log holds no end of it.';
COMMENT ON COLUMN tool_calls.output IS 'What the model read. Hostile.';
COMMENT ON COLUMN tool_calls.exit_code IS 'Exit status; negative is a signal; NULL when nothing was started.';
COMMENT ON COLUMN tool_calls.tier IS 'The isolation that held, or was to hold where no end is known.';
COMMENT ON COLUMN tool_calls.denied IS 'What was refused, in short words.';
COMMENT ON COLUMN tool_calls.stdout IS 'Standard output, its middle left out where it is long; NULL where output is all of it. Hostile.';
COMMENT ON COLUMN tool_calls.stdout_sha256 IS 'Hash of its bytes; NULL where there were none or the call was killed.';
COMMENT ON COLUMN tool_calls.stderr IS 'Standard error; NULL where there was none. Hostile.';
COMMENT ON COLUMN tool_calls.stderr_sha256 IS 'Hash of its bytes; NULL where there were none or the call was killed.';
COMMENT ON COLUMN tool_calls.written IS 'Files that it made or changed.';
COMMENT ON COLUMN tool_calls.deleted IS 'Files that it removed.';
COMMENT ON COLUMN tool_calls.seconds IS 'Wall-clock time in the sandbox, measured.';
COMMENT ON COLUMN tool_calls.cpu_seconds IS 'User and system time, start-up of the sandbox included, measured.';
COMMENT ON COLUMN tool_calls.peak_memory_mb IS 'Largest resident memory, measured; 0 where the sandbox could not see it.';
COMMENT ON COLUMN tool_calls.stdout_bytes IS 'Bytes written to standard output, kept or not.';
COMMENT ON COLUMN tool_calls.stderr_bytes IS 'Bytes written to standard error, kept or not.';
COMMENT ON COLUMN tool_calls.timeout_seconds IS 'Wall-clock limit.';
COMMENT ON COLUMN tool_calls.memory_limit_mb IS 'Memory limit.';
COMMENT ON COLUMN tool_calls.policy_sha256 IS 'Hash of the limits and of the list of what is allowed.';
COMMENT ON COLUMN tool_calls.files_sha256 IS 'Hash of the working directory at the start; NULL for an empty one.';
COMMENT ON COLUMN tool_calls.requested IS 'When the request was appended, UTC.';
COMMENT ON COLUMN tool_calls.ended IS 'When the result was appended, UTC.';
COMMENT ON COLUMN tool_calls.position IS 'Place of the request in the log.';
