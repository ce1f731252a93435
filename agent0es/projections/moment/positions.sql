-- Where the events of some types stand.
SELECT e.position
FROM facts.event e JOIN past h ON e.run = h.run AND e.position <= h.until
WHERE e.type IN (SELECT unnest($types))
ORDER BY e.position
