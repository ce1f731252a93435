"""What the router did, for who looks at it: figures by model, by reason and by day, and the latest questions."""

from typing import Any

from agent0es.projections.answers import objects
from agent0es.projections.tables import Projections

QUERIES = {
    "models": """
        SELECT
            coalesce(model, 'nobody') AS model, candidate, count(*) AS questions,
            count(*) FILTER (cached IS NOT NULL) AS cached, count(*) FILTER (reason = 'fallback') AS fallbacks,
            count(*) FILTER (status = 'failed') AS failed, count(verdict) AS judged,
            count(*) FILTER (verdict) AS correct, sum(cost_usd) AS cost_usd, median(seconds) AS p50,
            quantile_cont(seconds, 0.95) AS p95
        FROM routes GROUP BY ALL ORDER BY questions DESC
    """,
    "days": """
        SELECT strftime(asked, '%Y-%m-%d') AS day, count(*) AS questions, coalesce(sum(cost_usd), 0.0) AS cost_usd
        FROM routes GROUP BY day ORDER BY day
    """,
    "latest": """
        SELECT
            route, domain, question, status, reason, answer, attempt, candidate, model, confidence, predicted,
            threshold, verdict, cost_usd, seconds, epoch(asked) AS asked
        FROM routes ORDER BY position DESC LIMIT 100
    """,
}
"""What is asked for, to its query."""


def routed(tables: Projections) -> dict[str, list[dict[str, Any]]]:
    """The rows of each of `QUERIES`."""
    return {name: list(objects(tables.query(sql))) for name, sql in QUERIES.items()}
