-- What the guard of the run said.
SELECT g.kind, g.subject, g.message, g.position
FROM facts.guarded g JOIN past h ON g.run = h.run AND g.position <= h.until
ORDER BY g.position DESC
