-- p̂, the share of a task's attempts that gave the most frequent answer, as a histogram of completed tasks: tenths.
WITH answered AS (
    SELECT v.task, v.majority_key, count(*) AS attempts
    FROM verifications v JOIN past h ON v.run = h.run AND v.position <= h.until
    WHERE v.task IS NOT NULL GROUP BY ALL
),
shares AS (
    SELECT task, coalesce(max(attempts) FILTER (majority_key IS NOT NULL), 0) / sum(attempts) AS share
    FROM answered GROUP BY task
)
SELECT least(floor(share * 10), 9)::INTEGER AS tenth, count(*) AS tasks
FROM shares SEMI JOIN (
    SELECT c.task FROM facts.task_completed c JOIN past h ON c.run = h.run AND c.position <= h.until
) c USING (task)
GROUP BY tenth ORDER BY tenth
