-- Held-out problems
-- Share solved with its 95% interval, by adapter, split and way of answering.
-- bars: share
SELECT adapter, split, arm, correct, problems, share, low, high, lead, p_value
FROM evaluations WHERE run = $run ORDER BY iteration, adapter, split DESC, arm;
