-- The iterations: proposals that were given up, and mean rewards. Of a reward that was given twice, as in a task in which
-- a run was forked, the later one counts.
WITH begun AS (
    SELECT i.iteration, i.position FROM facts.iteration_started i JOIN past h ON i.run = h.run AND i.position <= h.until
),
refused AS (
    SELECT x.position
    FROM proposals_rejected x JOIN past h ON x.run = h.run AND x.position <= h.until WHERE x.tries_left = 0
),
given_up AS (
    SELECT b.iteration, count(*) AS given_up FROM refused x ASOF JOIN begun b ON x.position >= b.position GROUP BY ALL
),
given AS (
    SELECT w.role, w.task, w.attempt, w.total, w.position
    FROM rewards w JOIN past h ON w.run = h.run AND w.position <= h.until
),
rewarded AS (
    SELECT b.iteration, g.role, g.task, g.attempt, arg_max(g.total, g.position) AS total
    FROM given g ASOF JOIN begun b ON g.position >= b.position GROUP BY ALL
),
means AS (
    SELECT
        iteration, avg(total) FILTER (role = 'student') AS student_reward,
        avg(total) FILTER (role = 'teacher') AS teacher_reward
    FROM rewarded GROUP BY iteration
)
SELECT b.iteration, coalesce(x.given_up, 0) AS given_up, m.student_reward, m.teacher_reward
FROM begun b LEFT JOIN given_up x USING (iteration) LEFT JOIN means m USING (iteration)
ORDER BY b.position
