-- What was practised, by iteration and family: the tasks that were completed, their attempts, and those solved.
WITH begun AS (
    SELECT i.iteration, i.position FROM facts.iteration_started i JOIN past h ON i.run = h.run AND i.position <= h.until
),
completed AS (
    SELECT c.task, c.attempts, c.solved, c.position
    FROM facts.task_completed c JOIN past h ON c.run = h.run AND c.position <= h.until
),
asked AS (
    SELECT q.task, arg_max(q.domain, q.position) AS domain
    FROM facts.task_requested q JOIN past h ON q.run = h.run AND q.position <= h.until GROUP BY q.task
),
proposed AS (
    SELECT p.task, arg_max(p.family, p.position) AS family
    FROM facts.task_proposed p JOIN past h ON p.run = h.run AND p.position <= h.until GROUP BY p.task
)
SELECT
    b.iteration, q.domain, p.family, count(*) AS tasks, sum(c.attempts)::BIGINT AS attempts,
    sum(c.solved)::BIGINT AS solved
FROM completed c ASOF JOIN begun b ON c.position >= b.position JOIN asked q USING (task) JOIN proposed p USING (task)
GROUP BY ALL ORDER BY ALL
