-- One row per evaluated adapter, arm and split of the held-out problems.

CREATE TABLE evaluations (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    adapter VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    iteration INTEGER NOT NULL,
    arm VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    correct INTEGER NOT NULL,
    problems INTEGER NOT NULL,
    share DOUBLE,
    low DOUBLE NOT NULL,
    high DOUBLE NOT NULL,
    lead DOUBLE,
    lead_low DOUBLE,
    lead_high DOUBLE,
    p_value DOUBLE
);
COMMENT ON TABLE evaluations IS 'How each arm did on each split of the held-out problems.';
COMMENT ON COLUMN evaluations.run IS 'Name of the run.';
COMMENT ON COLUMN evaluations.position IS 'Place of AdapterEvaluated in the log.';
COMMENT ON COLUMN evaluations.time IS 'When, UTC.';
COMMENT ON COLUMN evaluations.adapter IS 'Adapter that was evaluated.';
COMMENT ON COLUMN evaluations.role IS 'Whose adapter.';
COMMENT ON COLUMN evaluations.iteration IS 'Iteration.';
COMMENT ON COLUMN evaluations.arm IS 'Who answered: the adapter itself or one of its baselines.';
COMMENT ON COLUMN evaluations.split IS 'practised: practised families, fresh problems; held_out: families never practised.';
COMMENT ON COLUMN evaluations.correct IS 'Problems solved.';
COMMENT ON COLUMN evaluations.problems IS 'Problems asked.';
COMMENT ON COLUMN evaluations.share IS 'correct / problems.';
COMMENT ON COLUMN evaluations.low IS 'Lower end of the 95% Wilson interval of the share.';
COMMENT ON COLUMN evaluations.high IS 'Upper end.';
COMMENT ON COLUMN evaluations.lead IS 'The adapter''s share minus this arm''s; NULL for the adapter itself.';
COMMENT ON COLUMN evaluations.lead_low IS 'Lower end of the lead''s 95% bootstrap interval over families.';
COMMENT ON COLUMN evaluations.lead_high IS 'Upper end.';
COMMENT ON COLUMN evaluations.p_value IS 'Two-sided exact McNemar test over problems.';

INSERT INTO evaluations BY NAME
SELECT
    run, position, time, adapter, role, iteration, s.arm, s.split, s.correct, s.problems,
    CASE WHEN s.problems > 0 THEN s.correct / s.problems END AS share, s.low, s.high, m.difference AS lead,
    m.low AS lead_low, m.high AS lead_high, m.p_value
FROM (
    SELECT *, list_filter(comparisons, lambda x: x.split = s.split AND x.baseline = s.arm AND x.arm = adapter)[1] AS m
    FROM (
        SELECT run, position, time, c.adapter, c.role, c.iteration, c.comparisons, unnest(c.scores) AS s
        FROM (
            SELECT run, position, time, from_json(content, '{
                "adapter": "VARCHAR", "role": "VARCHAR", "iteration": "INTEGER",
                "scores": [{"arm": "VARCHAR", "split": "VARCHAR", "correct": "INTEGER", "problems": "INTEGER",
                    "low": "DOUBLE", "high": "DOUBLE"}],
                "comparisons": [{"split": "VARCHAR", "baseline": "VARCHAR", "arm": "VARCHAR",
                    "difference": "DOUBLE", "low": "DOUBLE", "high": "DOUBLE", "p_value": "DOUBLE"}]}') AS c
            FROM batch WHERE type = 'AdapterEvaluated'
        )
    )
);
