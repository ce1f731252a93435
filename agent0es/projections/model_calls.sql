-- One row per generation. Prompts stay as references: `agent0es events` rebuilds them byte for byte.

CREATE TABLE model_calls (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    role VARCHAR NOT NULL,
    task INTEGER,
    attempt VARCHAR,
    model VARCHAR NOT NULL,
    adapter VARCHAR,
    prompt JSON NOT NULL,
    text VARCHAR NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER,
    completion_tokens INTEGER NOT NULL,
    finish_reason VARCHAR NOT NULL,
    temperature DOUBLE NOT NULL,
    seed BIGINT NOT NULL,
    mean_logprob DOUBLE,
    question VARCHAR,
    seconds DOUBLE,
    cost_usd DOUBLE,
    tries JSON
);
COMMENT ON TABLE model_calls IS 'Every generation of a model.';
COMMENT ON COLUMN model_calls.run IS 'Name of the run.';
COMMENT ON COLUMN model_calls.position IS 'Place in the log.';
COMMENT ON COLUMN model_calls.time IS 'When it was appended, UTC.';
COMMENT ON COLUMN model_calls.role IS 'teacher or student.';
COMMENT ON COLUMN model_calls.task IS 'Number of the task; NULL for a held-out problem.';
COMMENT ON COLUMN model_calls.attempt IS 'Name of the attempt; NULL for the teacher.';
COMMENT ON COLUMN model_calls.model IS 'Backend''s name of the model.';
COMMENT ON COLUMN model_calls.adapter IS 'Adapter that answered; NULL is the base model.';
COMMENT ON COLUMN model_calls.prompt IS 'opening (turns that other prompts share, as one text), turns, prefill: who said what; {"$text": "<sha256>"} stands for a text of more than 200 bytes. Before version 3 of ModelCalled: the prompt, in pieces.';
COMMENT ON COLUMN model_calls.text IS 'What was written. Hostile.';
COMMENT ON COLUMN model_calls.prompt_tokens IS 'Tokens read, cached ones included.';
COMMENT ON COLUMN model_calls.cached_tokens IS 'Of these, what the backend had read before; NULL where it does not say.';
COMMENT ON COLUMN model_calls.completion_tokens IS 'Tokens written.';
COMMENT ON COLUMN model_calls.finish_reason IS 'stop, length or cancelled.';
COMMENT ON COLUMN model_calls.temperature IS 'Sampling temperature; 0 is greedy.';
COMMENT ON COLUMN model_calls.seed IS 'Seed of this call.';
COMMENT ON COLUMN model_calls.mean_logprob IS 'Mean natural-log probability of the written tokens; NULL without any.';
COMMENT ON COLUMN model_calls.question IS 'What the student was asked about its own answer: confidence or critique; NULL while it worked.';
COMMENT ON COLUMN model_calls.seconds IS 'Wall-clock time of the generation, measured; others ran at the same time.';
COMMENT ON COLUMN model_calls.cost_usd IS 'What it cost in US dollars, by published prices; NULL where it has no price, or nobody knew it.';
COMMENT ON COLUMN model_calls.tries IS 'Times before that its server was asked in vain: a list of what, ended (Unix time in s), status, fault, waited (s); NULL without any.';

INSERT INTO model_calls BY NAME
SELECT
    run, position, time, c.role, c.task, c.attempt, c.model, c.adapter, c.prompt, c.text,
    c.prompt_tokens, c.cached_tokens, c.completion_tokens, c.finish_reason, c.temperature, c.seed, c.mean_logprob,
    c.question, seconds, cost_usd, tries
FROM (
    SELECT run, position, time, (measured ->> '$.seconds')::DOUBLE AS seconds,
        TRY_CAST(measured ->> '$.cost_usd' AS DOUBLE) AS cost_usd,
        TRY_CAST(measured ->> '$.tries' AS JSON) AS tries, from_json(content, '{
        "role": "VARCHAR", "task": "INTEGER", "attempt": "VARCHAR", "model": "VARCHAR", "adapter": "VARCHAR",
        "prompt": "JSON", "text": "VARCHAR", "prompt_tokens": "INTEGER", "cached_tokens": "INTEGER", "completion_tokens": "INTEGER",
        "finish_reason": "VARCHAR", "temperature": "DOUBLE", "seed": "BIGINT", "mean_logprob": "DOUBLE",
        "question": "VARCHAR"}') AS c
    FROM batch WHERE type = 'ModelCalled'
);
