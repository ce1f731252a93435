-- Task generation
-- What the teacher was asked for in each iteration, and how many tasks an hour came of it.
-- bars: tasks_an_hour
SELECT
    iteration, count(*) AS requested, count(proposed) AS accepted, sum(rejected)::BIGINT AS proposals_refused,
    count(*) FILTER (status = 'given_up') AS given_up, count(completed) AS completed,
    round(count(completed) / nullif(epoch(max(coalesce(completed, requested)) - min(requested)) / 3600, 0), 1)
        AS tasks_an_hour
FROM tasks WHERE run = $run
GROUP BY iteration ORDER BY iteration;
