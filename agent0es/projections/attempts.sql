-- One row per attempt, of practice and at held-out problems, from five events and the rewards.

CREATE TABLE facts.attempt_started (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    attempt VARCHAR NOT NULL,
    task INTEGER,
    seed BIGINT NOT NULL,
    adapter VARCHAR,
    demonstrations INTEGER NOT NULL
);

INSERT INTO facts.attempt_started BY NAME
SELECT run, position, time, unnest(c)
FROM (
    SELECT run, position, time, from_json(content, '{
        "attempt": "VARCHAR", "task": "INTEGER", "seed": "BIGINT", "adapter": "VARCHAR",
        "demonstrations": "INTEGER"}') AS c
    FROM batch WHERE type = 'AttemptStarted'
);

CREATE TABLE facts.solution_submitted (
    run VARCHAR NOT NULL,
    time TIMESTAMP NOT NULL,
    attempt VARCHAR NOT NULL,
    answer VARCHAR,
    confidence DOUBLE,
    tool_calls INTEGER NOT NULL,
    tool_errors INTEGER NOT NULL,
    observed BOOLEAN NOT NULL,
    ignored VARCHAR[] NOT NULL
);

INSERT INTO facts.solution_submitted BY NAME
SELECT
    run, time, attempt, s.answer, s.confidence, s.tool_calls, s.tool_errors, s.observed, coalesce(s.ignored, []) AS ignored
FROM (
    SELECT run, time, c.attempt, c.solution AS s
    FROM (
        SELECT run, time, from_json(content, '{"attempt": "VARCHAR", "solution": {
            "answer": "VARCHAR", "confidence": "DOUBLE", "tool_calls": "INTEGER", "tool_errors": "INTEGER",
            "observed": "BOOLEAN", "ignored": ["VARCHAR"]}}') AS c
        FROM batch WHERE type = 'SolutionSubmitted'
    )
);

CREATE TABLE facts.reflected (
    run VARCHAR NOT NULL,
    attempt VARCHAR NOT NULL,
    question VARCHAR NOT NULL,
    confidence DOUBLE
);

INSERT INTO facts.reflected BY NAME
SELECT run, unnest(c)
FROM (
    SELECT run, from_json(content, '{"attempt": "VARCHAR", "question": "VARCHAR", "confidence": "DOUBLE"}') AS c
    FROM batch WHERE type = 'Reflected'
);

CREATE TABLE facts.attempt_abandoned (
    run VARCHAR NOT NULL,
    attempt VARCHAR NOT NULL,
    retried_as VARCHAR NOT NULL
);

INSERT INTO facts.attempt_abandoned BY NAME
SELECT run, unnest(c)
FROM (
    SELECT run, from_json(content, '{"attempt": "VARCHAR", "retried_as": "VARCHAR"}') AS c
    FROM batch WHERE type = 'AttemptAbandoned'
);

CREATE VIEW attempts AS
SELECT
    run, attempt, a.task, t.iteration, t.family, t.difficulty,
    CASE WHEN a.task IS NULL THEN facts.arm_of(attempt) END AS arm,
    CASE WHEN a.task IS NULL THEN facts.problem_of(attempt) END AS problem,
    CASE
        WHEN v.attempt IS NOT NULL THEN 'verified'
        WHEN b.attempt IS NOT NULL THEN 'abandoned'
        WHEN s.attempt IS NOT NULL THEN 'submitted'
        ELSE 'started'
    END AS status,
    a.adapter, a.demonstrations, a.seed, s.answer, s.confidence, r.stated_confidence, r.critique_confidence,
    s.tool_calls, s.tool_errors, s.observed,
    s.ignored, v.correct, v.score, v.second_instance, v.majority_key, w.total AS reward, b.retried_as,
    m.calls AS model_calls, m.prompt_tokens, m.completion_tokens, m.seconds AS model_seconds, a.time AS started,
    s.time AS submitted, epoch(s.time - a.time) AS seconds, a.position
FROM facts.attempt_started a
LEFT JOIN facts.solution_submitted s USING (run, attempt)
LEFT JOIN (
    SELECT
        run, attempt, any_value(confidence) FILTER (question = 'confidence') AS stated_confidence,
        any_value(confidence) FILTER (question = 'critique') AS critique_confidence
    FROM facts.reflected GROUP BY ALL
) r USING (run, attempt)
LEFT JOIN facts.attempt_abandoned b USING (run, attempt)
LEFT JOIN verifications v USING (run, attempt)
LEFT JOIN (SELECT run, attempt, total FROM rewards WHERE role = 'student') w USING (run, attempt)
LEFT JOIN (
    SELECT
        run, attempt, count(*) AS calls, sum(prompt_tokens)::BIGINT AS prompt_tokens,
        sum(completion_tokens)::BIGINT AS completion_tokens, sum(seconds) AS seconds
    FROM model_calls GROUP BY ALL
) m USING (run, attempt)
LEFT JOIN tasks t ON t.run = a.run AND t.task = a.task;
COMMENT ON VIEW attempts IS 'Every attempt: of practice (task is set) and at held-out problems (arm and problem are set).';
COMMENT ON COLUMN attempts.run IS 'Name of the run.';
COMMENT ON COLUMN attempts.attempt IS 'Name of the attempt: 12/3 is attempt 3 at task 12.';
COMMENT ON COLUMN attempts.task IS 'Number of the task; NULL for a held-out problem.';
COMMENT ON COLUMN attempts.iteration IS 'Iteration of the task.';
COMMENT ON COLUMN attempts.family IS 'Family of the task.';
COMMENT ON COLUMN attempts.difficulty IS 'Difficulty of the task.';
COMMENT ON COLUMN attempts.arm IS 'Way of answering held-out problems, e.g. base-zero-shot or student-1.';
COMMENT ON COLUMN attempts.problem IS 'Number of the held-out problem.';
COMMENT ON COLUMN attempts.status IS 'started, submitted, verified, or abandoned (a crash cut it off).';
COMMENT ON COLUMN attempts.adapter IS 'Adapter that answers; NULL is the base model.';
COMMENT ON COLUMN attempts.demonstrations IS 'Worked examples in the prompt.';
COMMENT ON COLUMN attempts.seed IS 'Seed of the sampling.';
COMMENT ON COLUMN attempts.answer IS 'Final answer as written. Hostile.';
COMMENT ON COLUMN attempts.confidence IS 'exp of the mean token log-probability; NULL from a model that gives none.';
COMMENT ON COLUMN attempts.stated_confidence IS 'How sure the student says it is; NULL when it was not asked or said nothing readable.';
COMMENT ON COLUMN attempts.critique_confidence IS 'P(True): whether it stands by its answer on a second look, over 0.5 for Yes; NULL as stated_confidence.';
COMMENT ON COLUMN attempts.tool_calls IS 'Tool calls that the student made.';
COMMENT ON COLUMN attempts.tool_errors IS 'How many did not end with status ok.';
COMMENT ON COLUMN attempts.observed IS 'True when the answer is what the last call printed.';
COMMENT ON COLUMN attempts.ignored IS 'What the parser could not read, in the student''s words, shortened. Hostile.';
COMMENT ON COLUMN attempts.correct IS 'NULL when undecided or not judged.';
COMMENT ON COLUMN attempts.score IS '0 to 1.';
COMMENT ON COLUMN attempts.second_instance IS 'Whether the same code is right for other numbers.';
COMMENT ON COLUMN attempts.majority_key IS 'The answer in a normal form.';
COMMENT ON COLUMN attempts.reward IS 'Total reward; NULL for held-out problems.';
COMMENT ON COLUMN attempts.retried_as IS 'Attempt that took the place of an abandoned one.';
COMMENT ON COLUMN attempts.model_calls IS 'Generations that it took.';
COMMENT ON COLUMN attempts.prompt_tokens IS 'Tokens that the model read in them, cached ones included.';
COMMENT ON COLUMN attempts.completion_tokens IS 'Tokens that it wrote.';
COMMENT ON COLUMN attempts.model_seconds IS 'Wall-clock time of the generations, measured; those of other attempts ran at the same time.';
COMMENT ON COLUMN attempts.started IS 'UTC.';
COMMENT ON COLUMN attempts.submitted IS 'UTC.';
COMMENT ON COLUMN attempts.seconds IS 'From started to submitted, other work of the process included.';
COMMENT ON COLUMN attempts.position IS 'Place of its start in the log.';
