-- One row per judgement of an answer.

CREATE TABLE verifications (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    attempt VARCHAR NOT NULL,
    task INTEGER,
    correct BOOLEAN,
    score DOUBLE NOT NULL,
    confidence DOUBLE NOT NULL,
    method VARCHAR NOT NULL,
    explanation VARCHAR NOT NULL,
    second_instance BOOLEAN,
    majority_key VARCHAR
);
COMMENT ON TABLE verifications IS 'Every judgement of an answer, and of a teacher''s probe (eval-teacher/…).';
COMMENT ON COLUMN verifications.run IS 'Name of the run.';
COMMENT ON COLUMN verifications.position IS 'Place in the log.';
COMMENT ON COLUMN verifications.time IS 'When, UTC.';
COMMENT ON COLUMN verifications.attempt IS 'Attempt that was judged.';
COMMENT ON COLUMN verifications.task IS 'Number of the task; NULL for a held-out problem.';
COMMENT ON COLUMN verifications.correct IS 'NULL when the verifier could not decide.';
COMMENT ON COLUMN verifications.score IS '0 to 1; 1 is correct.';
COMMENT ON COLUMN verifications.confidence IS 'How sure the verifier is, 0 to 1.';
COMMENT ON COLUMN verifications.method IS 'none, exact, numeric or symbolic.';
COMMENT ON COLUMN verifications.explanation IS 'One line for a person.';
COMMENT ON COLUMN verifications.second_instance IS 'Whether the same code is right for other numbers; NULL where unchecked.';
COMMENT ON COLUMN verifications.majority_key IS 'The answer in a normal form; attempts that agree share it.';

INSERT INTO verifications BY NAME
SELECT
    run, position, time, c.attempt, c.task, c.verification.correct, c.verification.score, c.verification.confidence,
    c.verification.method, c.verification.explanation, c.second_instance, c.majority_key
FROM (
    SELECT run, position, time, from_json(content, '{
        "attempt": "VARCHAR", "task": "INTEGER", "second_instance": "BOOLEAN", "majority_key": "VARCHAR",
        "verification": {
            "correct": "BOOLEAN", "score": "DOUBLE", "confidence": "DOUBLE", "method": "VARCHAR",
            "explanation": "VARCHAR"}}') AS c
    FROM batch WHERE type = 'Verified'
);
