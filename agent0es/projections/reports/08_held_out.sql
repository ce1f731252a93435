-- Held-out problems
-- Share solved with its 95% interval, by adapter, split and way of answering.
SELECT
    adapter, split, arm, round(share, 3) AS share, round(low, 3) AS low, round(high, 3) AS high,
    round(lead, 3) AS lead, p_value
FROM evaluations WHERE run = $run ORDER BY iteration, adapter, split DESC, arm;
