-- How each training goes.
SELECT s.adapter, s.step, s.steps, s.loss, s.tokens_per_second
FROM training_steps s JOIN past h ON s.run = h.run AND s.position <= h.until
ORDER BY s.position
