-- Parts of the run
-- What the run did itself and, for a fork, what its past did up to the position. All other figures are the run's own.
SELECT
    h.ancestor AS part, h.until, count(*) AS events, count(*) FILTER (e.type = 'TaskCompleted') AS tasks,
    count(*) FILTER (e.type = 'SolutionSubmitted' AND NOT facts.is_evaluation(e.stream)) AS attempts,
    count(*) FILTER (e.type = 'AdapterTrained') AS adapters, count(*) FILTER (e.type = 'ModelCalled') AS generations
FROM histories h JOIN events e ON e.run = h.ancestor AND e.position <= h.until
WHERE h.run = $run
GROUP BY ALL ORDER BY h.until;
