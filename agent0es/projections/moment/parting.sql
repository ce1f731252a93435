-- The first of the next events that differ from those of another history, counted from a position; one row, or none.
WITH other AS (SELECT unnest($other_runs) AS run, unnest($other_untils) AS until),
ours AS (
    SELECT row_number() OVER (ORDER BY position) AS n, position, type, hash
    FROM (
        SELECT e.position, e.type, sha256(e.content) AS hash
        FROM facts.event e JOIN past h ON e.run = h.run AND e.position <= h.until
        WHERE e.position > $after ORDER BY e.position LIMIT $most
    )
),
theirs AS (
    SELECT row_number() OVER (ORDER BY position) AS n, position, type, hash
    FROM (
        SELECT e.position, e.type, sha256(e.content) AS hash
        FROM facts.event e JOIN other h ON e.run = h.run AND e.position <= h.until
        WHERE e.position > $after ORDER BY e.position LIMIT $most
    )
)
SELECT a.position, a.type, b.position AS other_position, b.type AS other_type
FROM ours a FULL JOIN theirs b USING (n)
WHERE a.hash IS DISTINCT FROM b.hash
ORDER BY n LIMIT 1
