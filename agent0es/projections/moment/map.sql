-- Every task that was proposed, with what came of it.
SELECT p.task, p.position, p.family, p.description, p.difficulty, p.novelty, c.position AS completed, c.attempts, c.solved
FROM facts.task_proposed p
JOIN past h ON p.run = h.run AND p.position <= h.until
LEFT JOIN (
    SELECT c.task, c.position, c.attempts, c.solved
    FROM facts.task_completed c JOIN past h ON c.run = h.run AND c.position <= h.until
) c USING (task)
ORDER BY p.position
