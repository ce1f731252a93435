-- Every answer to a held-out problem, the last of those that were made again.
SELECT facts.problem_of(s.attempt) AS problem, facts.arm_of(s.attempt) AS arm, s.attempt, v.correct, s.position
FROM facts.attempt_started s JOIN past h ON s.run = h.run AND s.position <= h.until
LEFT JOIN verifications v ON v.run = s.run AND v.attempt = s.attempt AND v.position <= h.until
WHERE s.task IS NULL AND facts.problem_of(s.attempt) IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY facts.problem_of(s.attempt), facts.arm_of(s.attempt) ORDER BY s.position DESC) = 1
ORDER BY problem, arm
