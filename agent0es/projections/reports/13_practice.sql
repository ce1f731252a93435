-- What the guard looks at
-- How varied the tasks are, how many repeat earlier ones, whether labels are right, and how sure the student's words are.
SELECT
    iteration, round(diversity, 3) AS diversity, round(repeated, 3) AS repeated,
    round(label_accuracy, 3) AS label_accuracy, round(log_probability, 3) AS log_probability
FROM iterations WHERE run = $run AND (diversity IS NOT NULL OR repeated IS NOT NULL) ORDER BY iteration;
