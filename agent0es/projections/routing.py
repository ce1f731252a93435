"""Questions about what the router did: what both models said to the same question, and what all of it came to."""

from collections.abc import Iterator
from typing import Any

from agent0es.projections.answers import objects
from agent0es.projections.tables import Projections

COMPARED = r"""
WITH paid AS (
    SELECT attempt, sum(cost_usd) AS cost_usd FROM model_calls WHERE run = 'routes' GROUP BY attempt
), tries AS (
    SELECT
        split_part(attempt, '/', 1) AS route, regexp_extract(attempt, '/([a-z]+)-[0-9]+$', 1) AS candidate,
        CAST(regexp_extract(attempt, '-([0-9]+)$', 1) AS INTEGER) AS number, attempt,
        coalesce(correct, false) AS correct, confidence, started, submitted, seconds, cost_usd
    FROM attempts LEFT JOIN paid USING (attempt) WHERE run = 'routes' AND status = 'verified'
), sides AS (
    SELECT
        route, candidate, count(*) AS attempts, sum(cost_usd) AS cost_usd, count(cost_usd) AS priced,
        epoch(max(submitted) - min(started)) AS seconds, arg_min(correct, number) AS first_correct,
        arg_min(confidence, number) AS first_confidence, arg_min(cost_usd, number) AS first_cost_usd,
        arg_min(seconds, number) AS first_seconds
    FROM tries GROUP BY ALL
)
SELECT
    r.route, r.domain, r.question, r.signals, r.position,
    coalesce(d.correct, false) AS draft_correct,
    l.first_correct, l.first_confidence, l.first_cost_usd, l.first_seconds,
    l.attempts AS drafts, l.cost_usd AS drafts_cost_usd, l.seconds AS drafts_seconds,
    c.first_correct AS cloud_correct, c.cost_usd AS cloud_cost_usd, c.seconds AS cloud_seconds
FROM routes r
JOIN sides l ON l.route = r.route AND l.candidate = 'local'
JOIN sides c ON c.route = r.route AND c.candidate = 'cloud'
LEFT JOIN tries d ON d.attempt = r.draft
WHERE r.known AND r.compared AND r.status = 'answered' AND r.cached IS NULL AND ($run IS NULL OR r.for_run = $run)
ORDER BY r.position
"""


def compared(tables: Projections, run: str | None = None) -> Iterator[dict[str, Any]]:
    """A row for each question that both models answered to be compared, and whose right answer is known, the oldest
    first; of one batch where it is named. A cost is None where nobody knows it."""
    return objects(tables.query(COMPARED, {"run": run}))
