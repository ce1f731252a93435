-- What an operator was told of, and when: AlertRaised with the AlertCleared that ended it.

CREATE TABLE facts.alert_raised (
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    rule VARCHAR NOT NULL,
    run VARCHAR,
    subject VARCHAR NOT NULL,
    value DOUBLE NOT NULL,
    above DOUBLE NOT NULL,
    message VARCHAR NOT NULL
);

INSERT INTO facts.alert_raised BY NAME
SELECT position, time, unnest(c)
FROM (
    SELECT position, time, from_json(content, '{
        "rule": "VARCHAR", "run": "VARCHAR", "subject": "VARCHAR", "value": "DOUBLE", "above": "DOUBLE",
        "message": "VARCHAR"}') AS c
    FROM batch WHERE type = 'AlertRaised'
);

CREATE TABLE facts.alert_cleared (
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    rule VARCHAR NOT NULL,
    run VARCHAR,
    subject VARCHAR NOT NULL,
    message VARCHAR NOT NULL
);

INSERT INTO facts.alert_cleared BY NAME
SELECT position, time, unnest(c)
FROM (
    SELECT position, time, from_json(content, '{
        "rule": "VARCHAR", "run": "VARCHAR", "subject": "VARCHAR", "message": "VARCHAR"}') AS c
    FROM batch WHERE type = 'AlertCleared'
);

CREATE VIEW alerts_raised AS
SELECT
    r.rule, r.run, r.subject, r.value, r.above, r.message, r.time AS raised, min(c.time) AS cleared,
    arg_min(c.message, c.position) AS why_cleared, r.position
FROM facts.alert_raised r
LEFT JOIN facts.alert_cleared c
    ON c.rule = r.rule AND c.subject = r.subject AND c.run IS NOT DISTINCT FROM r.run AND c.position > r.position
GROUP BY ALL;
COMMENT ON VIEW alerts_raised IS 'Alerts that the rules of alerts.rules raised while a run or the service went on. The table alerts is what can be found in the log afterwards.';
COMMENT ON COLUMN alerts_raised.rule IS 'Name of the rule.';
COMMENT ON COLUMN alerts_raised.run IS 'Run that it is about; NULL where it is about none.';
COMMENT ON COLUMN alerts_raised.subject IS 'What of the run, or of the store.';
COMMENT ON COLUMN alerts_raised.value IS 'What was measured.';
COMMENT ON COLUMN alerts_raised.above IS 'The setting that it was above.';
COMMENT ON COLUMN alerts_raised.message IS 'One line for a person.';
COMMENT ON COLUMN alerts_raised.raised IS 'UTC.';
COMMENT ON COLUMN alerts_raised.cleared IS 'UTC; NULL where it is not over.';
COMMENT ON COLUMN alerts_raised.why_cleared IS 'One line for a person; NULL where it is not over.';
COMMENT ON COLUMN alerts_raised.position IS 'Place of AlertRaised in the log.';
