-- Solve rate, difficulty and rewards over completed tasks, at most 40 stretches of them.
WITH completed AS (
    SELECT c.task, c.attempts, c.solved, row_number() OVER (ORDER BY c.position) - 1 AS place, count(*) OVER () AS tasks
    FROM facts.task_completed c JOIN past h ON c.run = h.run AND c.position <= h.until
),
proposed AS (
    SELECT p.task, p.difficulty
    FROM facts.task_proposed p JOIN past h ON p.run = h.run AND p.position <= h.until
),
rewarded AS (
    SELECT w.task, avg(w.total) FILTER (role = 'student') AS student, avg(w.total) FILTER (role = 'teacher') AS teacher
    FROM rewards w JOIN past h ON w.run = h.run AND w.position <= h.until GROUP BY w.task
)
SELECT
    max(place) + 1 AS tasks, sum(solved) / sum(attempts) AS solve_rate, avg(difficulty) AS difficulty,
    avg(student) AS student_reward, avg(teacher) AS teacher_reward
FROM completed LEFT JOIN proposed USING (task) LEFT JOIN rewarded USING (task)
GROUP BY place * least(tasks, 40) // tasks ORDER BY tasks
