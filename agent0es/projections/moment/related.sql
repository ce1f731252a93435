-- The event that led to one, and those that it led to.
SELECT e.position, e.type, e.stream
FROM facts.event e JOIN past h ON e.run = h.run AND e.position <= h.until
WHERE (e.position < $at AND e.meta ->> '$.event_id' = $cause) OR (e.position > $at AND e.meta ->> '$.cause' = $event_id)
ORDER BY e.position LIMIT 50
