"""Questions about what the router did: what both models said to the same question, and what all of it came to."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from agent0es.projections.answers import objects
from agent0es.projections.tables import Projections

COMPARED = r"""
WITH paid AS (
    SELECT attempt, sum(cost_usd) AS cost_usd FROM model_calls WHERE run = 'routes' GROUP BY attempt
), reused AS (
    SELECT attempt, arg_max(route, position) AS route FROM facts.attempts_reused GROUP BY attempt
), tries AS (
    SELECT
        coalesce(reused.route, split_part(attempt, '/', 1)) AS route,
        regexp_extract(attempt, '/([a-z]+)-[0-9]+$', 1) AS candidate,
        CAST(regexp_extract(attempt, '-([0-9]+)$', 1) AS INTEGER) AS number, attempt,
        coalesce(correct, false) AS correct, confidence, seconds, cost_usd
    FROM attempts LEFT JOIN paid USING (attempt) LEFT JOIN reused USING (attempt)
    WHERE run = 'routes' AND status = 'verified'
), sides AS (
    SELECT
        route, candidate, sum(cost_usd) AS cost_usd, max(seconds) AS seconds,  -- they were made side by side
        arg_min(correct, number) AS first_correct,
        arg_min(confidence, number) AS first_confidence, arg_min(cost_usd, number) AS first_cost_usd,
        arg_min(seconds, number) AS first_seconds
    FROM tries GROUP BY ALL
)
SELECT
    r.route, r.domain, r.question, r.signals, r.position,
    coalesce(d.correct, false) AS draft_correct,
    l.first_correct, l.first_confidence, l.first_cost_usd, l.first_seconds,
    l.cost_usd AS drafts_cost_usd, l.seconds AS drafts_seconds,
    c.first_correct AS cloud_correct, c.cost_usd AS cloud_cost_usd, c.seconds AS cloud_seconds
FROM routes r
JOIN sides l ON l.route = r.route AND l.candidate = 'local'
JOIN sides c ON c.route = r.route AND c.candidate = 'cloud'
LEFT JOIN tries d ON d.attempt = r.draft
WHERE r.known AND r.compared AND r.status = 'answered' AND r.cached IS NULL AND ($run IS NULL OR r.for_run = $run)
ORDER BY r.position
"""


COUNTED = """
    count(*) AS questions, count(*) FILTER (status = 'answered') AS answered,
    count(*) FILTER (status = 'failed') AS failed, count(*) FILTER (cached IS NOT NULL) AS cached,
    count(*) FILTER (cached IS NULL AND candidate = 'local') AS local,
    count(*) FILTER (cached IS NULL AND candidate = 'cloud') AS cloud,
    count(*) FILTER (status = 'answered' AND reason = 'fallback') AS fallbacks,
    count(verdict) FILTER (cached IS NULL) AS judged, count(*) FILTER (cached IS NULL AND verdict) AS "right",
    sum(cost_usd) AS cost_usd, count(*) FILTER (status <> 'open' AND cost_usd IS NULL) AS unpriced,
    quantile_cont(seconds, 0.5) AS p50, quantile_cont(seconds, 0.95) AS p95
FROM routes WHERE ($since IS NULL OR asked >= $since)
"""
"""What questions come to. A kept answer was judged when it was new."""

REPORTS = {
    "all": f"SELECT {COUNTED}",
    "by_model": f"SELECT model, adapter, {COUNTED} AND status = 'answered' GROUP BY model, adapter ORDER BY ALL",
    "by_domain": f"SELECT domain, {COUNTED} GROUP BY domain ORDER BY domain",
}

SPENT = """
WITH limits AS (
    SELECT CAST(CAST(time AS DATE) AS VARCHAR) AS budget, arg_max(per_day, position) AS limit_usd
    FROM facts.route_asked GROUP BY ALL
    UNION ALL
    SELECT 'run-' || for_run, arg_max(per_run, position) FROM facts.route_asked WHERE for_run IS NOT NULL GROUP BY ALL
)
SELECT
    budget, coalesce(sum(s.cost_usd), 0.0) AS settled_usd,
    coalesce(sum(r.most_usd) FILTER (s.cost_usd IS NULL), 0.0) AS unsettled_usd,
    any_value(l.limit_usd) AS limit_usd
FROM facts.cost_reserved r
LEFT JOIN facts.cost_settled s USING (budget, reservation) LEFT JOIN limits l USING (budget)
WHERE ($since IS NULL OR r.time >= $since)
GROUP BY budget ORDER BY budget
"""
"""Of each budget: what was settled; what was reserved, and nobody knows what became of it; the limit set last."""


def report(tables: Projections, since: datetime | None = None) -> dict[str, list[dict[str, Any]]]:
    """What the router came to, of questions that were asked since then (UTC): `all` is one row, `by_model` and
    `by_domain` are rows of the same kind, `budgets` is what was spent of each."""
    queries = {**REPORTS, "budgets": SPENT}
    return {name: list(objects(tables.query(sql, {"since": since}))) for name, sql in queries.items()}


def compared(tables: Projections, run: str | None = None) -> Iterator[dict[str, Any]]:
    """A row for each question that both models answered to be compared, and whose right answer is known, the oldest
    first; of one batch where it is named. A cost is None where nobody knows it."""
    return objects(tables.query(COMPARED, {"run": run}))
