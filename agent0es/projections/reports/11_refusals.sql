-- Refused proposals
-- Why proposals of the teacher could not be used.
-- bars: proposals
SELECT reason, count(*) AS proposals, count(DISTINCT task) AS tasks
FROM proposals_rejected WHERE run = $run GROUP BY reason ORDER BY proposals DESC, reason;
