-- The figures at the top, one row.
SELECT
    (SELECT max(i.iteration) FROM facts.iteration_started i JOIN past h
        ON i.run = h.run AND i.position <= h.until) AS iteration,
    (SELECT count(*) FROM facts.task_proposed p JOIN past h
        ON p.run = h.run AND p.position <= h.until) AS proposed,
    c.*, m.*,
    (SELECT count(*) FROM facts.tool_requested t JOIN past h
        ON t.run = h.run AND t.position <= h.until) AS tool_calls,
    (SELECT count(*) FROM proposals_rejected x JOIN past h
        ON x.run = h.run AND x.position <= h.until) AS rejected
FROM (
    SELECT
        count(*) AS completed, coalesce(sum(attempts), 0)::BIGINT AS attempts,
        coalesce(sum(solved), 0)::BIGINT AS solved, sum(solved) / sum(attempts) AS solve_rate
    FROM facts.task_completed c JOIN past h ON c.run = h.run AND c.position <= h.until
) c, (
    SELECT
        count(*) AS model_calls, coalesce(sum(prompt_tokens), 0)::BIGINT AS prompt_tokens,
        coalesce(sum(completion_tokens), 0)::BIGINT AS completion_tokens, sum(cost_usd) AS cost_usd
    FROM model_calls m JOIN past h ON m.run = h.run AND m.position <= h.until
) m
