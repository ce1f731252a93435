-- One row per result of an evaluation by itself.

CREATE TABLE facts.evaluation_started (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    suite VARCHAR NOT NULL,
    way STRUCT(format VARCHAR, shots INTEGER, adapter VARCHAR, adapter_run VARCHAR, samples INTEGER, temperature DOUBLE) NOT NULL,
    model VARCHAR
);

INSERT INTO facts.evaluation_started BY NAME
SELECT run, position, time, c.suite, c.way, content ->> '$.configuration.models.student.name' AS model
FROM (
    SELECT run, position, time, content, from_json(content, '{"suite": "VARCHAR", "way": {
        "format": "VARCHAR", "shots": "INTEGER", "adapter": "VARCHAR", "adapter_run": "VARCHAR",
        "samples": "INTEGER", "temperature": "DOUBLE"}}') AS c
    FROM batch WHERE type = 'EvaluationStarted'
);

CREATE TABLE facts.evaluation_completed (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    problems INTEGER NOT NULL,
    pass_at MAP(VARCHAR, DOUBLE) NOT NULL,
    low DOUBLE NOT NULL,
    high DOUBLE NOT NULL,
    lenient DOUBLE NOT NULL,
    majority DOUBLE,
    unanswered DOUBLE NOT NULL,
    undecided DOUBLE NOT NULL,
    with_tool DOUBLE NOT NULL,
    prompt_tokens DOUBLE NOT NULL,
    completion_tokens DOUBLE NOT NULL
);

INSERT INTO facts.evaluation_completed BY NAME
SELECT run, position, time, unnest(c)
FROM (
    SELECT run, position, time, from_json(content, '{
        "problems": "INTEGER", "pass_at": "MAP(VARCHAR, DOUBLE)", "low": "DOUBLE", "high": "DOUBLE",
        "lenient": "DOUBLE", "majority": "DOUBLE", "unanswered": "DOUBLE", "undecided": "DOUBLE",
        "with_tool": "DOUBLE", "prompt_tokens": "DOUBLE", "completion_tokens": "DOUBLE"}') AS c
    FROM batch WHERE type = 'EvaluationCompleted'
);

CREATE VIEW measurements AS
SELECT
    run AS evaluation, s.suite, s.model, s.way.adapter AS adapter, s.way.adapter_run AS adapter_run,
    s.way.format AS format, s.way.shots AS shots, s.way.samples AS samples, s.way.temperature AS temperature,
    c.problems, c.pass_at['1'] AS strict, c.low, c.high, c.pass_at, c.lenient, c.majority, c.unanswered, c.undecided,
    c.with_tool, c.prompt_tokens, c.completion_tokens, s.time AS started, c.time AS ended, c.position
FROM facts.evaluation_completed c JOIN facts.evaluation_started s USING (run);
COMMENT ON VIEW measurements IS 'What agent0es eval measured: one row for each time that all problems up to a limit were answered.';
COMMENT ON COLUMN measurements.evaluation IS 'Name of the evaluation; in the tables attempts, model_calls, tool_calls, verifications and events it stands as run.';
COMMENT ON COLUMN measurements.suite IS 'What was asked: names of a suite, or a file''s name.';
COMMENT ON COLUMN measurements.model IS 'Name of the student''s model.';
COMMENT ON COLUMN measurements.adapter IS 'Adapter that answered; NULL is the base model.';
COMMENT ON COLUMN measurements.adapter_run IS 'Run that trained it.';
COMMENT ON COLUMN measurements.format IS 'tools, cot or program.';
COMMENT ON COLUMN measurements.shots IS 'Worked examples that were asked for in the prompt.';
COMMENT ON COLUMN measurements.samples IS 'Answers to each problem.';
COMMENT ON COLUMN measurements.temperature IS '0 is greedy.';
COMMENT ON COLUMN measurements.problems IS 'Problems asked.';
COMMENT ON COLUMN measurements.strict IS 'pass@1: share of right answers in the format that was asked for.';
COMMENT ON COLUMN measurements.low IS 'Lower end of its 95% Wilson interval.';
COMMENT ON COLUMN measurements.high IS 'Upper end.';
COMMENT ON COLUMN measurements.pass_at IS 'k to pass@k.';
COMMENT ON COLUMN measurements.lenient IS 'Share that is right where the last number or boxed text counts, too.';
COMMENT ON COLUMN measurements.majority IS 'Share of problems whose most frequent answer is right; NULL with one sample.';
COMMENT ON COLUMN measurements.unanswered IS 'Share of answers that were none in the format.';
COMMENT ON COLUMN measurements.undecided IS 'Share of answers that the verifier could not judge.';
COMMENT ON COLUMN measurements.with_tool IS 'Share of answers with a tool call.';
COMMENT ON COLUMN measurements.prompt_tokens IS 'Tokens read for an answer, mean.';
COMMENT ON COLUMN measurements.completion_tokens IS 'Tokens written for an answer, mean.';
COMMENT ON COLUMN measurements.started IS 'UTC.';
COMMENT ON COLUMN measurements.ended IS 'UTC.';
COMMENT ON COLUMN measurements.position IS 'Place of EvaluationCompleted in the log.';
