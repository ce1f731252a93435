-- First and last position of the history, its events, and those next to a position.
SELECT
    min(e.position) AS first, max(e.position) AS last, count(*) AS events,
    max(e.position) FILTER (e.position <= $at) AS position, max(e.position) FILTER (e.position < $at) AS before,
    min(e.position) FILTER (e.position > $at) AS after, count(*) FILTER (e.position <= $at) AS place
FROM facts.event e JOIN past h ON e.run = h.run AND e.position <= h.until
