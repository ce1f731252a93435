-- The figures of a run over its steps, after the event at $after: one row each. Those with an adapter are of its
-- training and its own score; the others are of the run. A step is an iteration, in a training a step of the optimizer.
WITH asked AS (
    SELECT q.task, q.iteration
    FROM facts.task_requested q JOIN past h ON q.run = h.run AND q.position <= h.until
),
completed AS (
    SELECT q.iteration, count(*) AS tasks, sum(c.solved) / sum(c.attempts) AS solve_rate,
        avg(p.difficulty) AS difficulty, avg(p.novelty) AS novelty
    FROM asked q
    JOIN (SELECT c.* FROM facts.task_completed c JOIN past h ON c.run = h.run AND c.position <= h.until) c USING (task)
    JOIN (SELECT p.* FROM facts.task_proposed p JOIN past h ON p.run = h.run AND p.position <= h.until) p USING (task)
    GROUP BY q.iteration
),
rewarded AS (
    SELECT q.iteration, avg(w.total) FILTER (w.role = 'student') AS student_reward,
        avg(w.total) FILTER (w.role = 'teacher') AS teacher_reward
    FROM asked q JOIN rewards w USING (task) JOIN past h ON w.run = h.run AND w.position <= h.until
    GROUP BY q.iteration
),
used AS (
    SELECT q.iteration, sum(m.prompt_tokens + m.completion_tokens) AS tokens, sum(m.cost_usd) AS cost_usd
    FROM asked q JOIN model_calls m USING (task) JOIN past h ON m.run = h.run AND m.position <= h.until
    GROUP BY q.iteration
),
practised AS (
    SELECT i.position, i.time, i.iteration, unnest([
        {'name': 'tasks', 'value': coalesce(c.tasks, 0)::DOUBLE}, {'name': 'solve_rate', 'value': c.solve_rate},
        {'name': 'difficulty', 'value': c.difficulty}, {'name': 'novelty', 'value': c.novelty},
        {'name': 'student_reward', 'value': w.student_reward}, {'name': 'teacher_reward', 'value': w.teacher_reward},
        {'name': 'tokens', 'value': u.tokens}, {'name': 'cost_usd', 'value': u.cost_usd}]) AS figure
    FROM facts.iteration_completed i JOIN past h ON i.run = h.run AND i.position <= h.until
    LEFT JOIN completed c USING (iteration) LEFT JOIN rewarded w USING (iteration) LEFT JOIN used u USING (iteration)
),
measured AS (
    SELECT m.position, m.time, m.iteration, unnest([
        {'name': 'diversity', 'value': m.diversity},
        {'name': 'repeated', 'value': m.repeats / nullif(m.proposals + m.repeats, 0)},
        {'name': 'label_accuracy',
            'value': (m.computed + m.confirmed) / nullif(m.computed + m.confirmed + m.doubted, 0)},
        {'name': 'log_probability', 'value': m.log_probability}]) AS figure
    FROM facts.practice_measured m JOIN past h ON m.run = h.run AND m.position <= h.until
),
scores AS (
    SELECT e.position, e.time, e.iteration, e.adapter, e.arm, e.role, e.split, unnest([
        {'name': '', 'value': e.share}, {'name': '_low', 'value': e.low}, {'name': '_high', 'value': e.high}]) AS figure
    FROM evaluations e JOIN past h ON e.run = h.run AND e.position <= h.until
    WHERE e.problems > 0
),
trained AS (
    SELECT s.position, s.time, s.adapter, s.step, unnest(list_concat([
        {'name': 'loss', 'value': s.loss}, {'name': 'gradient_norm', 'value': s.gradient_norm},
        {'name': 'learning_rate', 'value': s.learning_rate}, {'name': 'tokens', 'value': s.tokens::DOUBLE},
        {'name': 'tokens_per_second', 'value': s.tokens_per_second}],
        list_transform(map_entries(s.metrics), lambda e:
            {'name': regexp_replace(e.key, '[^A-Za-z0-9_.-]', '_', 'g'), 'value': e.value}))) AS figure
    FROM training_steps s JOIN past h ON s.run = h.run AND s.position <= h.until
)
SELECT position, epoch(time) AS time, adapter, name, step, value
FROM (
    SELECT position, time, NULL AS adapter, 'practice/' || figure.name AS name, iteration AS step, figure.value
    FROM (FROM practised UNION ALL FROM measured)
    UNION ALL
    -- Who is compared is known by one name in all iterations; an adapter that was in use is in the curve of its own.
    SELECT position, time, NULL, format('{}_{}/{}{}', role, split, if(arm = adapter, 'new_adapter', arm), figure.name),
        iteration, figure.value
    FROM scores WHERE arm = adapter OR starts_with(arm, 'base-')
    UNION ALL
    SELECT position, time, arm, format('{}_{}/accuracy{}', role, split, figure.name), iteration, figure.value
    FROM scores WHERE NOT starts_with(arm, 'base-')
    UNION ALL
    SELECT position, time, adapter, 'training/' || figure.name, step, figure.value FROM trained
)
WHERE value IS NOT NULL AND position > $after
ORDER BY position, adapter NULLS FIRST, name
