-- Who solved how much of the held-out problems.
SELECT
    e.adapter, e.arm, e.split, e.correct, e.problems, e.share, e.low, e.high, e.lead, e.p_value, e.iteration, e.position
FROM evaluations e JOIN past h ON e.run = h.run AND e.position <= h.until
ORDER BY e.position, e.split DESC, e.arm = e.adapter, e.arm
