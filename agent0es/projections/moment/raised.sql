-- What an operator was told of the run and was not over then.
SELECT r.rule, r.subject, r.message, r.position
FROM facts.alert_raised r JOIN past h ON r.run = h.run AND r.position <= h.until
WHERE NOT EXISTS (
    FROM facts.alert_cleared c
    WHERE c.run = r.run AND c.rule = r.rule AND c.subject = r.subject AND c.position BETWEEN r.position AND h.until)
ORDER BY r.position DESC
