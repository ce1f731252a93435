-- Proposals
-- What became of the teacher's proposals, from families and of its own: accepted, or why not.
-- bars: share
SELECT
    source, domain, outcome, count(*) AS proposals,
    count(*) / sum(count(*)) OVER (PARTITION BY source, domain) AS share
FROM (
    SELECT source, domain, 'accepted' AS outcome FROM tasks WHERE run = $run AND proposed IS NOT NULL
    UNION ALL
    SELECT source, domain, reason FROM proposals_rejected JOIN tasks USING (run, task) WHERE run = $run
)
GROUP BY source, domain, outcome ORDER BY source, domain, outcome != 'accepted', proposals DESC, outcome;
