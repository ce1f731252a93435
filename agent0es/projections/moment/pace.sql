-- Tokens that models wrote, and tool calls, in each of up to 80 stretches of the time that the run has worked.
WITH here AS (
    SELECT h.run, h.until FROM past h JOIN facts.run_started s ON s.run = h.run AND s.position <= h.until
    ORDER BY s.position DESC LIMIT 1
),
acts AS (
    SELECT epoch(m.time) AS time, m.completion_tokens AS tokens, 0 AS calls
    FROM model_calls m JOIN here h ON m.run = h.run AND m.position <= h.until
    UNION ALL
    SELECT epoch(t.time) AS time, 0 AS tokens, 1 AS calls
    FROM facts.tool_requested t JOIN here h ON t.run = h.run AND t.position <= h.until
),
span AS (SELECT min(time) AS first, greatest(max(time) - min(time), 1.0) AS seconds FROM acts)
SELECT
    (stretch + 1) * seconds / 80 AS seconds, tokens * 80 / seconds AS tokens_per_second,
    calls * 80 / seconds AS calls_per_second
FROM (
    SELECT least(floor((time - first) / seconds * 80), 79)::INTEGER AS stretch, sum(tokens)::BIGINT AS tokens,
        sum(calls)::BIGINT AS calls, any_value(seconds) AS seconds
    FROM acts, span GROUP BY stretch
)
ORDER BY stretch
