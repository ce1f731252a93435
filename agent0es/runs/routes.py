"""What the router came to: accuracy, cost, latency, by model and by domain, and what is left of its budgets."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from agent0es.errors import QueryError
from agent0es.evaluation.estimates import wilson

if TYPE_CHECKING:
    from agent0es.projections import Projections

Row = dict[str, Any]


def report(tables: "Projections", since: str | None = None) -> dict[str, Any]:
    """`all` is a row, `by_model`, `by_domain` and `budgets` are lists of them; `since` is a time in ISO 8601, UTC where
    it names no zone.

    Accuracy is that of new answers that a verifier judged, with its 95% interval (Wilson); None without any. Seconds
    are from the question to its end. Raises QueryError for a time that is none.
    """
    from agent0es.projections import routing

    after = None if since is None else _time(since)
    found = routing.report(tables, after)
    [whole] = found["all"]
    return {
        "since": None if after is None else after.isoformat(),
        "all": rated(whole),
        "by_model": [rated(row) for row in found["by_model"]],
        "by_domain": [rated(row) for row in found["by_domain"]],
        "budgets": [_left(row) for row in found["budgets"]],
    }


def rated(row: Row) -> Row:
    """With the accuracy of the answers that were judged. Pure."""
    judged = row["judged"]
    accuracy = row["right"] / judged if judged else None
    low, high = (None, None) if accuracy is None else wilson(accuracy, judged)
    return {**row, "accuracy": accuracy, "low": low, "high": high}


def _left(row: Row) -> Row:
    spent = row["settled_usd"] + row["unsettled_usd"]
    return {**row, "left_usd": None if row["limit_usd"] is None else max(0.0, row["limit_usd"] - spent)}


def _time(text: str) -> datetime:
    """A time as the tables have it: UTC, without a zone."""
    try:
        wanted = datetime.fromisoformat(text)
    except ValueError:
        raise QueryError(f"--since {text}: write it as in 2026-01-31 or 2026-01-31T12:30:00") from None
    return wanted if wanted.tzinfo is None else wanted.astimezone(UTC).replace(tzinfo=None)
