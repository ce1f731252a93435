-- Solve rate
-- Share of the attempts at completed tasks that were correct, by domain and iteration.
-- bars: solve_rate
SELECT
    domain, iteration, count(*) AS tasks, sum(attempts)::BIGINT AS attempts, sum(solved)::BIGINT AS solved,
    sum(solved) / sum(attempts) AS solve_rate, avg(difficulty) AS difficulty
FROM tasks WHERE run = $run AND status = 'completed'
GROUP BY ALL ORDER BY ALL;
