-- The latest tasks.
WITH latest AS (
    SELECT p.run, p.task, p.family, p.description, p.difficulty, p.novelty, p.position
    FROM facts.task_proposed p JOIN past h ON p.run = h.run AND p.position <= h.until
    ORDER BY p.position DESC LIMIT 12
)
SELECT l.*, c.attempts, c.solved
FROM latest l LEFT JOIN (
    SELECT c.task, c.attempts, c.solved
    FROM facts.task_completed c JOIN past h ON c.run = h.run AND c.position <= h.until
    SEMI JOIN latest l ON l.task = c.task
) c USING (task)
ORDER BY l.position DESC
