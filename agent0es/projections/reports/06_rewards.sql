-- Rewards
-- Mean reward by iteration: of attempts (student) and of tasks (teacher), and its components before weights.
SELECT
    t.iteration, r.role, count(*) AS rewards, avg(r.total) AS reward,
    avg(r.components['correctness']) AS correctness, avg(r.components['tool_use']) AS tool_use,
    avg(r.components['novelty']) AS novelty, avg(r.components['uncertainty']) AS uncertainty
FROM rewards r JOIN tasks t USING (run, task) WHERE run = $run
GROUP BY ALL ORDER BY ALL;
