-- What it took, one row: events, tokens, and seconds.
SELECT e.*, m.*, t.tool_seconds, a.training_seconds
FROM (
    SELECT count(*) AS events, epoch(arg_max(e.time, e.position)) - epoch(arg_min(e.time, e.position)) AS elapsed_seconds
    FROM facts.event e JOIN past h ON e.run = h.run AND e.position <= h.until
) e, (
    SELECT
        coalesce(sum(m.prompt_tokens), 0)::BIGINT AS prompt_tokens,
        coalesce(sum(m.completion_tokens), 0)::BIGINT AS completion_tokens, coalesce(sum(m.seconds), 0) AS model_seconds
    FROM model_calls m JOIN past h ON m.run = h.run AND m.position <= h.until
) m, (
    SELECT coalesce(sum(c.seconds), 0) AS tool_seconds
    FROM facts.tool_called c JOIN past h ON c.run = h.run AND c.position <= h.until
) t, (
    SELECT coalesce(sum(a.seconds), 0) AS training_seconds
    FROM facts.adapter_trained a JOIN past h ON a.run = h.run AND a.position <= h.until
) a
