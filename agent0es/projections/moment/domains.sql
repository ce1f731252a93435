-- Solve rate and difficulty by task domain.
WITH asked AS (
    SELECT q.task, q.domain
    FROM facts.task_requested q JOIN past h ON q.run = h.run AND q.position <= h.until
),
proposed AS (
    SELECT p.task, p.difficulty
    FROM facts.task_proposed p JOIN past h ON p.run = h.run AND p.position <= h.until
),
completed AS (
    SELECT c.task, c.attempts, c.solved
    FROM facts.task_completed c JOIN past h ON c.run = h.run AND c.position <= h.until
)
SELECT
    domain, count(*) AS requested, count(c.task) AS completed, coalesce(sum(c.attempts), 0)::BIGINT AS attempts,
    coalesce(sum(c.solved), 0)::BIGINT AS solved, sum(c.solved) / sum(c.attempts) AS solve_rate,
    avg(p.difficulty) FILTER (c.task IS NOT NULL) AS difficulty
FROM asked LEFT JOIN proposed p USING (task) LEFT JOIN completed c USING (task)
GROUP BY domain ORDER BY domain
