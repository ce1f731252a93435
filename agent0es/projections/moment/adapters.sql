-- Adapters, how far they are, and what the gate said.
WITH decided AS (
    SELECT d.adapter, d.promoted, d.score, d.p_value, d.level, d.reason, d.position
    FROM facts.adapter_decided d JOIN past h ON d.run = h.run AND d.position <= h.until
),
back AS (
    SELECT b.adapter, b.reason
    FROM facts.adapter_rolled_back b JOIN past h ON b.run = h.run AND b.position <= h.until
),
failed AS (
    SELECT f.adapter, f.error
    FROM failures f JOIN past h ON f.run = h.run AND f.position <= h.until WHERE f.kind = 'training'
),
trained AS (
    SELECT t.adapter, t.steps, t.loss[-1] AS final_loss, t.seconds
    FROM facts.adapter_trained t JOIN past h ON t.run = h.run AND t.position <= h.until
),
evaluated AS (
    SELECT DISTINCT e.adapter
    FROM evaluations e JOIN past h ON e.run = h.run AND e.position <= h.until
),
in_use AS (
    SELECT arg_max(u.adapter, u.position) AS adapter
    FROM facts.put_to_use u JOIN past h ON u.run = h.run AND u.position <= h.until GROUP BY u.role
)
SELECT
    d.run, d.adapter, d.role, d.iteration, d.method, d.examples,
    CASE
        WHEN b.adapter IS NOT NULL THEN 'rolled back'
        WHEN g.promoted THEN 'promoted'
        WHEN g.adapter IS NOT NULL THEN 'not promoted'
        WHEN e.adapter IS NOT NULL THEN 'evaluated'
        WHEN t.adapter IS NOT NULL THEN 'trained'
        WHEN f.adapter IS NOT NULL THEN 'failed'
        ELSE 'training'
    END AS status,
    d.adapter IN (SELECT adapter FROM in_use) AS serving, t.steps, t.final_loss, t.seconds, g.score, g.p_value, g.level,
    coalesce(b.reason, g.reason, f.error) AS reason, d.position
FROM datasets d JOIN past h ON d.run = h.run AND d.position <= h.until
LEFT JOIN trained t USING (adapter) LEFT JOIN decided g USING (adapter) LEFT JOIN back b USING (adapter)
LEFT JOIN failed f USING (adapter) LEFT JOIN evaluated e USING (adapter)
ORDER BY d.position
