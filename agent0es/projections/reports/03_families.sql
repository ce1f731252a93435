-- Hardest families
-- The ten families with the lowest solve rate over the whole run.
-- bars: solve_rate
SELECT family, sum(tasks)::BIGINT AS tasks, sum(attempts)::BIGINT AS attempts, sum(solved) / sum(attempts) AS solve_rate
FROM curriculum WHERE run = $run
GROUP BY family ORDER BY solve_rate, family LIMIT 10;
