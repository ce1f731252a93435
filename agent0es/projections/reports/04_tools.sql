-- Tool use
-- Calls by tool and purpose, how they ended, and what they used.
-- bars: calls
SELECT
    tool, purpose, count(*) AS calls, count(*) FILTER (status = 'ok') / count(*) AS ok,
    count(*) FILTER (status = 'error') AS errors, count(*) FILTER (status = 'timeout') AS timeouts,
    count(*) FILTER (status IN ('limit', 'denied')) AS limited_or_denied,
    count(*) FILTER (status = 'unknown') AS unknown, median(seconds) AS median_seconds,
    sum(cpu_seconds) AS cpu_seconds, max(peak_memory_mb) AS peak_memory_mb
FROM tool_calls WHERE run = $run
GROUP BY ALL ORDER BY calls DESC, tool, purpose;
