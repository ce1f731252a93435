-- Training
-- Every adapter: its examples, its loss at each step, whether it is in use.
SELECT
    adapter, status, serving AS in_use, examples, steps, loss[1] AS first_loss, final_loss, loss, seconds, share AS held_out_share
FROM adapters WHERE run = $run ORDER BY position;
