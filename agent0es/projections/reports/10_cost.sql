-- Tokens and cost of a task
-- What a completed task used in practice, the teacher's proposals included. What runs here has no price: its cost is time.
-- bars: tokens_a_task
SELECT
    t.iteration, count(DISTINCT t.task) AS tasks, count(*) AS generations, sum(m.prompt_tokens)::BIGINT AS prompt_tokens,
    sum(m.completion_tokens)::BIGINT AS completion_tokens,
    (sum(m.prompt_tokens) + sum(m.completion_tokens)) / count(DISTINCT t.task) AS tokens_a_task,
    sum(m.seconds) / count(DISTINCT t.task) AS model_seconds_a_task,
    sum(m.cost_usd) / count(DISTINCT t.task) AS usd_a_task, count(m.cost_usd) AS generations_with_a_price
FROM model_calls m JOIN tasks t USING (run, task) WHERE run = $run AND t.status = 'completed'
GROUP BY t.iteration ORDER BY t.iteration;
