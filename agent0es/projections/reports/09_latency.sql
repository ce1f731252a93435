-- Latency
-- Percentiles in seconds. Generations share the model, so each waits for others that run at the same time.
-- bars: p50
SELECT
    what, count(*) AS measured, quantile_cont(seconds, 0.5) AS p50, quantile_cont(seconds, 0.9) AS p90,
    quantile_cont(seconds, 0.99) AS p99, max(seconds) AS longest
FROM (
    SELECT 'generation of the ' || role AS what, seconds FROM model_calls WHERE run = $run
    UNION ALL
    SELECT 'call of ' || tool, seconds FROM tool_calls WHERE run = $run
    UNION ALL
    SELECT 'attempt', seconds FROM attempts WHERE run = $run
    UNION ALL
    SELECT 'task', epoch(completed - requested) FROM tasks WHERE run = $run
)
WHERE seconds IS NOT NULL GROUP BY what ORDER BY what;
