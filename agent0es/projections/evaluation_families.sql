-- The evaluations, by family.

CREATE TABLE evaluation_families (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    adapter VARCHAR NOT NULL,
    iteration INTEGER NOT NULL,
    arm VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    family VARCHAR NOT NULL,
    correct INTEGER NOT NULL,
    problems INTEGER NOT NULL
);
COMMENT ON TABLE evaluation_families IS 'How each arm did on each family of the held-out problems.';
COMMENT ON COLUMN evaluation_families.run IS 'Name of the run.';
COMMENT ON COLUMN evaluation_families.position IS 'Place of AdapterEvaluated in the log.';
COMMENT ON COLUMN evaluation_families.adapter IS 'Adapter that was evaluated.';
COMMENT ON COLUMN evaluation_families.iteration IS 'Iteration.';
COMMENT ON COLUMN evaluation_families.arm IS 'Who answered.';
COMMENT ON COLUMN evaluation_families.split IS 'practised or held_out.';
COMMENT ON COLUMN evaluation_families.family IS 'Family of the problems.';
COMMENT ON COLUMN evaluation_families.correct IS 'Problems solved.';
COMMENT ON COLUMN evaluation_families.problems IS 'Problems asked.';

INSERT INTO evaluation_families BY NAME
SELECT
    run, position, adapter, iteration, arm, split, f.key AS family, f.value[1] AS correct, f.value[2] AS problems
FROM (
    SELECT run, position, adapter, iteration, s.arm, s.split, unnest(map_entries(s.by_family)) AS f
    FROM (
        SELECT run, position, c.adapter, c.iteration, unnest(c.scores) AS s
        FROM (
            SELECT run, position, from_json(content, '{
                "adapter": "VARCHAR", "iteration": "INTEGER",
                "scores": [{"arm": "VARCHAR", "split": "VARCHAR", "by_family": "MAP(VARCHAR, INTEGER[])"}]}') AS c
            FROM batch WHERE type = 'AdapterEvaluated'
        )
    )
);
