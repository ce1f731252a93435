-- Training
-- Every adapter: its examples, its loss so far, whether it is in use. agent0es show ADAPTER draws its loss.
WITH going AS (
    SELECT
        run, adapter, max(step) AS step, max(steps) AS of_steps, list(loss ORDER BY step) AS loss,
        arg_max(tokens_per_second, position) AS tokens_per_second
    FROM training_steps GROUP BY ALL
)
SELECT
    a.adapter, a.status, a.serving AS in_use, a.examples, coalesce(a.steps, g.step) AS step,
    coalesce(a.steps, g.of_steps) AS steps, coalesce(a.loss, g.loss)[1] AS first_loss,
    coalesce(a.loss, g.loss)[-1] AS last_loss, coalesce(a.loss, g.loss) AS loss, g.tokens_per_second, a.seconds,
    a.share AS held_out_share
FROM adapters a LEFT JOIN going g USING (run, adapter)
WHERE a.run = $run ORDER BY a.position;
