-- The latest events.
SELECT e.position, e.run, e.type, e.stream, epoch(e.time) AS time, e.handler
FROM facts.event e JOIN past h ON e.run = h.run AND e.position <= h.until
ORDER BY e.position DESC LIMIT 12
