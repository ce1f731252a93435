-- The mean of each reward component, before weights, and of the sum.
WITH given AS (
    SELECT w.role, w.components, w.total
    FROM rewards w JOIN past h ON w.run = h.run AND w.position <= h.until
)
SELECT role, e.key AS component, avg(e.value) AS mean, count(*) AS rewards
FROM (SELECT role, unnest(map_entries(components)) AS e FROM given)
GROUP BY role, component
UNION ALL
SELECT role, NULL AS component, avg(total) AS mean, count(*) AS rewards FROM given GROUP BY role
ORDER BY role, component NULLS LAST
