-- Solve rate
-- Share of attempts that were correct, and share of tasks at the frontier: a quarter to three quarters of attempts correct.
-- bars: solve_rate
SELECT
    domain, iteration, count(*) AS tasks, sum(attempts)::BIGINT AS attempts, sum(solved)::BIGINT AS solved,
    sum(solved) / sum(attempts) AS solve_rate, avg((abs(solve_rate - 0.5) <= 0.25)::INTEGER) AS frontier_share,
    avg(difficulty) AS difficulty
FROM tasks WHERE run = $run AND status = 'completed'
GROUP BY ALL ORDER BY ALL;
