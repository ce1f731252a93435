-- One row per question that the router was asked.

CREATE TABLE facts.route_asked (
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    route VARCHAR NOT NULL,
    domain VARCHAR NOT NULL,
    question VARCHAR NOT NULL,
    for_run VARCHAR,
    compared BOOLEAN NOT NULL,
    known BOOLEAN NOT NULL,
    per_day DOUBLE,
    per_run DOUBLE
);

INSERT INTO facts.route_asked BY NAME
SELECT
    position, time, c.route, c.posed.domain AS domain, c.posed.description AS question, c.run AS for_run,
    coalesce(TRY_CAST(c.configuration ->> '$.router.compare' AS BOOLEAN), false) AS compared,
    c.posed.reference <> '' AS known,
    TRY_CAST(c.configuration ->> '$.router.budget.per_day' AS DOUBLE) AS per_day,
    TRY_CAST(c.configuration ->> '$.router.budget.per_run' AS DOUBLE) AS per_run
FROM (
    SELECT position, time, from_json(content, '{
        "route": "VARCHAR", "posed": {"domain": "VARCHAR", "description": "VARCHAR", "reference": "VARCHAR"},
        "run": "VARCHAR", "configuration": "VARCHAR"}') AS c
    FROM batch WHERE type = 'RouteAsked'
);

CREATE TABLE facts.route_decided (
    position BIGINT NOT NULL,
    route VARCHAR NOT NULL,
    step INTEGER NOT NULL,
    action VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    draft VARCHAR,
    predicted DOUBLE,
    sure DOUBLE,
    threshold DOUBLE NOT NULL,
    signals MAP(VARCHAR, DOUBLE) NOT NULL
);

INSERT INTO facts.route_decided BY NAME
SELECT position, unnest(c)
FROM (
    SELECT position, from_json(content, '{
        "route": "VARCHAR", "step": "INTEGER", "action": "VARCHAR", "reason": "VARCHAR", "draft": "VARCHAR",
        "predicted": "DOUBLE", "sure": "DOUBLE", "threshold": "DOUBLE", "signals": "MAP(VARCHAR, DOUBLE)"}') AS c
    FROM batch WHERE type = 'RouteDecided'
);

CREATE TABLE facts.route_ended (
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    route VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    answer VARCHAR,
    attempt VARCHAR,
    cached VARCHAR,
    candidate VARCHAR,
    model VARCHAR,
    adapter VARCHAR,
    confidence DOUBLE,
    basis VARCHAR,
    verdict BOOLEAN,
    prompt_tokens BIGINT,
    completion_tokens BIGINT,
    cost_usd DOUBLE,
    seconds DOUBLE
);

INSERT INTO facts.route_ended BY NAME
SELECT
    position, time, CASE WHEN type = 'RouteAnswered' THEN 'answered' ELSE 'failed' END AS status,
    CAST(measured ->> '$.seconds' AS DOUBLE) AS seconds, unnest(c)
FROM (
    SELECT position, time, type, measured, from_json(content, '{
        "route": "VARCHAR", "answer": "VARCHAR", "attempt": "VARCHAR", "cached": "VARCHAR", "candidate": "VARCHAR",
        "model": "VARCHAR", "adapter": "VARCHAR", "confidence": "DOUBLE", "basis": "VARCHAR", "verdict": "BOOLEAN",
        "prompt_tokens": "BIGINT", "completion_tokens": "BIGINT", "cost_usd": "DOUBLE"}') AS c
    FROM batch WHERE type IN ('RouteAnswered', 'RouteFailed')
);

CREATE TABLE facts.attempts_reused (
    position BIGINT NOT NULL,
    route VARCHAR NOT NULL,
    attempt VARCHAR NOT NULL
);

INSERT INTO facts.attempts_reused BY NAME
SELECT position, c.route, unnest(c.attempts) AS attempt
FROM (
    SELECT position, from_json(content, '{"route": "VARCHAR", "attempts": ["VARCHAR"]}') AS c
    FROM batch WHERE type = 'AttemptsReused'
);

CREATE TABLE facts.cost_reserved (
    position BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    budget VARCHAR NOT NULL,
    reservation VARCHAR NOT NULL,
    most_usd DOUBLE NOT NULL
);

INSERT INTO facts.cost_reserved BY NAME
SELECT position, time, unnest(c)
FROM (
    SELECT position, time, from_json(content, '{
        "budget": "VARCHAR", "reservation": "VARCHAR", "most_usd": "DOUBLE"}') AS c
    FROM batch WHERE type = 'CostReserved'
);

CREATE TABLE facts.cost_settled (
    budget VARCHAR NOT NULL,
    reservation VARCHAR NOT NULL,
    cost_usd DOUBLE
);

INSERT INTO facts.cost_settled BY NAME
SELECT unnest(c)
FROM (
    SELECT from_json(content, '{"budget": "VARCHAR", "reservation": "VARCHAR", "cost_usd": "DOUBLE"}') AS c
    FROM batch WHERE type = 'CostSettled'
);

CREATE VIEW routes AS
WITH last_decision AS (
    SELECT route, max_by(reason, step) AS reason, max_by(draft, step) AS draft, max_by(predicted, step) AS predicted,
        max_by(sure, step) AS sure, max_by(threshold, step) AS threshold, max_by(signals, step) AS signals
    FROM facts.route_decided GROUP BY route
)
SELECT
    a.route, a.for_run, a.domain, a.question, a.known, a.compared, coalesce(e.status, 'open') AS status, d.reason, e.answer, e.attempt,
    e.cached, e.candidate, e.model, e.adapter, e.confidence, e.basis, e.verdict, d.draft, d.predicted, d.sure, d.threshold,
    d.signals, e.prompt_tokens, e.completion_tokens, e.cost_usd, e.seconds, a.time AS asked, e.time AS ended, a.position
FROM facts.route_asked a LEFT JOIN last_decision d USING (route) LEFT JOIN facts.route_ended e USING (route);
COMMENT ON VIEW routes IS 'Questions that the router was asked. Their attempts, calls and events stand under the run routes.';
COMMENT ON COLUMN routes.route IS 'Name of the route.';
COMMENT ON COLUMN routes.for_run IS 'Run or batch on whose behalf it was asked; NULL for a single question.';
COMMENT ON COLUMN routes.domain IS 'Task domain.';
COMMENT ON COLUMN routes.question IS 'Hostile.';
COMMENT ON COLUMN routes.known IS 'Whether the right answer was given with it, so that an answer can be judged.';
COMMENT ON COLUMN routes.compared IS 'Whether both models were to answer (router.compare).';
COMMENT ON COLUMN routes.status IS 'answered, failed, or open: it is being asked, or a crash cut it off.';
COMMENT ON COLUMN routes.reason IS 'Of the last decision: confident, best, fallback, only, cached, none.';
COMMENT ON COLUMN routes.answer IS 'Hostile; NULL without one.';
COMMENT ON COLUMN routes.attempt IS 'The attempt that it is from.';
COMMENT ON COLUMN routes.cached IS 'The route that was answered at first; NULL for a new answer.';
COMMENT ON COLUMN routes.candidate IS 'local or cloud.';
COMMENT ON COLUMN routes.model IS 'The model that answered.';
COMMENT ON COLUMN routes.adapter IS 'Adapter that answered; NULL is the base model.';
COMMENT ON COLUMN routes.confidence IS 'How likely the answer is right; NULL where nobody knows.';
COMMENT ON COLUMN routes.basis IS 'prior or history.';
COMMENT ON COLUMN routes.verdict IS 'Whether it is right; NULL is undecided.';
COMMENT ON COLUMN routes.draft IS 'The local attempt that the signals are about.';
COMMENT ON COLUMN routes.predicted IS 'How likely that one is right.';
COMMENT ON COLUMN routes.sure IS '1 less what the other model is likelier to be right; predicted where nobody knows that; NULL in older decisions.';
COMMENT ON COLUMN routes.threshold IS 'What that was compared with.';
COMMENT ON COLUMN routes.signals IS 'Signal to its value.';
COMMENT ON COLUMN routes.prompt_tokens IS 'Read for the route, drafts included.';
COMMENT ON COLUMN routes.completion_tokens IS 'Written for it.';
COMMENT ON COLUMN routes.cost_usd IS 'US dollars; NULL where nobody knows.';
COMMENT ON COLUMN routes.seconds IS 'From question to answer.';
COMMENT ON COLUMN routes.asked IS 'UTC.';
COMMENT ON COLUMN routes.ended IS 'UTC.';
COMMENT ON COLUMN routes.position IS 'Place of RouteAsked in the log.';
