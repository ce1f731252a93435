-- One row per part of a training: a twentieth of its steps, or one where it has fewer.

CREATE TABLE training_steps (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    adapter VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    iteration INTEGER NOT NULL,
    step INTEGER NOT NULL,
    steps INTEGER NOT NULL,
    loss DOUBLE NOT NULL,
    gradient_norm DOUBLE NOT NULL,
    learning_rate DOUBLE NOT NULL,
    tokens BIGINT NOT NULL,
    metrics MAP(VARCHAR, DOUBLE) NOT NULL,
    tokens_per_second DOUBLE,
    seconds DOUBLE
);
COMMENT ON TABLE training_steps IS 'How every training goes, while it goes on and afterwards.';
COMMENT ON COLUMN training_steps.run IS 'Name of the run.';
COMMENT ON COLUMN training_steps.position IS 'Place in the log.';
COMMENT ON COLUMN training_steps.time IS 'When, UTC.';
COMMENT ON COLUMN training_steps.adapter IS 'Adapter that is trained.';
COMMENT ON COLUMN training_steps.role IS 'Who is trained.';
COMMENT ON COLUMN training_steps.iteration IS 'Iteration after which it is trained.';
COMMENT ON COLUMN training_steps.step IS 'Optimizer steps so far.';
COMMENT ON COLUMN training_steps.steps IS 'How many there will be.';
COMMENT ON COLUMN training_steps.loss IS 'Mean loss of the steps since the row before.';
COMMENT ON COLUMN training_steps.gradient_norm IS 'Mean norm of the gradient in them, before it is clipped.';
COMMENT ON COLUMN training_steps.learning_rate IS 'In the last of them.';
COMMENT ON COLUMN training_steps.tokens IS 'Read so far.';
COMMENT ON COLUMN training_steps.metrics IS 'What the training method tells besides.';
COMMENT ON COLUMN training_steps.tokens_per_second IS 'Measured since the trainer was started.';
COMMENT ON COLUMN training_steps.seconds IS 'Measured since the trainer was started, without loading.';

INSERT INTO training_steps BY NAME
SELECT
    run, position, time, unnest(c), (measured ->> '$.tokens_per_second')::DOUBLE AS tokens_per_second,
    (measured ->> '$.seconds')::DOUBLE AS seconds
FROM (
    SELECT run, position, time, measured, from_json(content, '{
        "adapter": "VARCHAR", "role": "VARCHAR", "iteration": "INTEGER", "step": "INTEGER", "steps": "INTEGER",
        "loss": "DOUBLE", "gradient_norm": "DOUBLE", "learning_rate": "DOUBLE", "tokens": "BIGINT",
        "metrics": "MAP(VARCHAR, DOUBLE)"}') AS c
    FROM batch WHERE type = 'TrainingProgressed'
);
