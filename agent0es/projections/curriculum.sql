-- How each family went in each iteration. Counts completed tasks, like the curriculum itself.

CREATE VIEW curriculum AS
WITH used AS (
    SELECT run, task, sum(tool_calls) AS tool_calls, count(*) FILTER (tool_calls > 0) AS with_tool
    FROM attempts WHERE status = 'verified' AND task IS NOT NULL GROUP BY ALL
)
SELECT
    run, t.iteration, t.family, count(*) AS tasks, sum(t.attempts)::BIGINT AS attempts,
    sum(t.solved)::BIGINT AS solved, sum(t.solved) / sum(t.attempts) AS solve_rate, avg(t.difficulty) AS difficulty,
    sum(u.tool_calls)::BIGINT AS tool_calls, sum(u.with_tool) / sum(t.attempts) AS tool_use
FROM tasks t
LEFT JOIN used u USING (run, task)
WHERE t.status = 'completed'
GROUP BY run, t.iteration, t.family;
COMMENT ON VIEW curriculum IS 'Completed tasks by run, iteration and family.';
COMMENT ON COLUMN curriculum.run IS 'Name of the run.';
COMMENT ON COLUMN curriculum.iteration IS 'Counted from 1.';
COMMENT ON COLUMN curriculum.family IS 'Family of the tasks.';
COMMENT ON COLUMN curriculum.tasks IS 'Tasks that were completed.';
COMMENT ON COLUMN curriculum.attempts IS 'Attempts at them.';
COMMENT ON COLUMN curriculum.solved IS 'Attempts that were correct.';
COMMENT ON COLUMN curriculum.solve_rate IS 'solved / attempts.';
COMMENT ON COLUMN curriculum.difficulty IS 'Mean over tasks, 0 to 1.';
COMMENT ON COLUMN curriculum.tool_calls IS 'Tool calls that the student made.';
COMMENT ON COLUMN curriculum.tool_use IS 'Share of attempts with at least one tool call.';
