-- What a run's history is made of: the run itself and, for a fork, the runs that it descends from.

CREATE TABLE facts.run_started (
    run VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    seed HUGEINT NOT NULL,
    code_version VARCHAR NOT NULL,
    weights JSON NOT NULL,
    configuration JSON NOT NULL,
    parent VARCHAR,
    forked_at BIGINT
);

INSERT INTO facts.run_started BY NAME
SELECT run, position, time, unnest(c), (content ->> '$.position')::BIGINT AS forked_at
FROM (
    SELECT run, position, time, content, from_json(content, '{
        "seed": "HUGEINT", "code_version": "VARCHAR", "weights": "JSON", "configuration": "JSON",
        "parent": "VARCHAR"}') AS c
    FROM batch WHERE type IN ('RunStarted', 'RunForked')
);

CREATE VIEW histories AS
WITH RECURSIVE parts(run, ancestor, until) AS (
    SELECT run, run AS ancestor, (SELECT position FROM facts.folded) AS until FROM facts.run_started
    UNION ALL
    SELECT p.run, s.parent AS ancestor, least(p.until, s.forked_at) AS until
    FROM parts p JOIN facts.run_started s ON s.run = p.ancestor
    WHERE s.parent IS NOT NULL
)
SELECT p.run, ancestor, until
FROM parts p JOIN facts.run_started s ON s.run = ancestor
WHERE s.position <= until;
COMMENT ON VIEW histories IS 'The runs that a run''s history is made of: itself and, for a fork, those it descends from. In every other table the rows of a run are what it did itself.';
COMMENT ON COLUMN histories.run IS 'Name of the run.';
COMMENT ON COLUMN histories.ancestor IS 'Run that did this part: the run itself, its parent, the parent''s parent…';
COMMENT ON COLUMN histories.until IS 'Position of the last event of the ancestor that counts.';
