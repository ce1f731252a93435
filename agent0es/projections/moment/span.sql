-- First and last position of the history, its events, and those at and next to a position.
SELECT first, last, events, latest[1] AS position, latest[2] AS before, after, place
FROM (
    SELECT
        min(e.position) AS first, max(e.position) AS last, count(*) AS events,
        max(e.position, 2) FILTER (e.position <= $at) AS latest, min(e.position) FILTER (e.position > $at) AS after,
        count(*) FILTER (e.position <= $at) AS place
    FROM facts.event e JOIN past h ON e.run = h.run AND e.position <= h.until
)
