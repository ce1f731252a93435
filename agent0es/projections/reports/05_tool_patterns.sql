-- Tool calls of an attempt
-- How many calls a practice attempt makes, and how often it is then right.
-- bars: attempts
SELECT
    tool_calls, count(*) AS attempts, count(*) FILTER (correct) / count(*) AS correct,
    sum(tool_errors) / nullif(sum(tool_calls), 0) AS failed_calls
FROM attempts WHERE run = $run AND task IS NOT NULL AND tool_calls IS NOT NULL
GROUP BY tool_calls ORDER BY tool_calls;
