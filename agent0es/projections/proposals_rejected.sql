-- Proposals of the teacher that could not be used.

CREATE TABLE proposals_rejected (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    task INTEGER NOT NULL,
    iteration INTEGER NOT NULL,
    reason VARCHAR NOT NULL,
    detail VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    tries_left INTEGER NOT NULL,
    novelty DOUBLE,
    novelty_bar DOUBLE
);
COMMENT ON TABLE proposals_rejected IS 'Proposals of the teacher that could not be used.';
COMMENT ON COLUMN proposals_rejected.run IS 'Name of the run.';
COMMENT ON COLUMN proposals_rejected.position IS 'Place in the log.';
COMMENT ON COLUMN proposals_rejected.time IS 'When, UTC.';
COMMENT ON COLUMN proposals_rejected.task IS 'Number of the task that was asked for.';
COMMENT ON COLUMN proposals_rejected.iteration IS 'Iteration that the task belongs to.';
COMMENT ON COLUMN proposals_rejected.reason IS 'unreadable, unknown_family, invalid_parameters, duplicate or not_novel; of a freeform task also reference_failed, not_deterministic, inconsistent or verifier_too_lax.';
COMMENT ON COLUMN proposals_rejected.detail IS 'What exactly was wrong.';
COMMENT ON COLUMN proposals_rejected.text IS 'What the teacher wrote. Hostile.';
COMMENT ON COLUMN proposals_rejected.tries_left IS 'At 0 the task is dropped.';
COMMENT ON COLUMN proposals_rejected.novelty IS 'Where the reason is not_novel: 1 − the largest cosine similarity to an earlier task.';
COMMENT ON COLUMN proposals_rejected.novelty_bar IS 'What the novelty is below.';

INSERT INTO proposals_rejected BY NAME
SELECT
    run, position, time, c.task, c.iteration, c.reason, c.detail, c.text,
    c.tries_left, c.novelty, c.novelty_bar
FROM (
    SELECT run, position, time, from_json(content, '{
        "task": "INTEGER", "iteration": "INTEGER", "reason": "VARCHAR", "detail": "VARCHAR", "text": "VARCHAR",
        "tries_left": "INTEGER", "novelty": "DOUBLE", "novelty_bar": "DOUBLE"}') AS c
    FROM batch WHERE type = 'ProposalRejected'
);
