"""A run at a glance: its row in the table of runs, and its rows in the tables that say more."""

import json
from collections.abc import Iterator
from typing import Any

from agent0es.projections.answers import objects
from agent0es.projections.tables import Projections

RUNS = "FROM runs ORDER BY position"

SUMMARY = "SELECT * EXCLUDE (configuration, weights, position) FROM runs WHERE run = $run"

TRAINS = "SELECT configuration -> '$.training.roles' AS roles FROM runs WHERE run = $run"

MORE = {
    "iterations": "SELECT * EXCLUDE (run, position) FROM iterations WHERE run = $run ORDER BY iteration",
    "curriculum": "SELECT * EXCLUDE (run) FROM curriculum WHERE run = $run ORDER BY iteration, family",
    "adapters": """
        SELECT
            adapter, role, iteration, status, serving, share, mean_share, score, reason, examples, steps, final_loss,
            seconds, path, tainted_by
        FROM adapters WHERE run = $run ORDER BY position
    """,
    "evaluations": """
        SELECT * EXCLUDE (run, position, time, role) FROM evaluations WHERE run = $run
        ORDER BY iteration, position, split DESC, arm = adapter, arm
    """,
    "guard": "SELECT subject, kind, message FROM facts.guarded WHERE run = $run ORDER BY position",
    "rejections": """
        SELECT reason, count(*) AS proposals FROM proposals_rejected WHERE run = $run GROUP BY ALL ORDER BY ALL
    """,
    "last_failures": """
        SELECT time, kind, coalesce(handler, adapter) AS who, task, error FROM failures WHERE run = $run
        ORDER BY position DESC LIMIT 5
    """,
}
"""Part of the overview to the query for its rows."""


def all_runs(tables: Projections) -> Iterator[dict[str, Any]]:
    """The row of each run, the oldest first."""
    return objects(tables.query(RUNS))


def overview(tables: Projections, run: str) -> dict[str, Any]:
    """The run's row, the roles that it trains, and under each name of `MORE` a list of rows."""

    def rows(sql: str) -> list[dict[str, Any]]:
        answer = tables.query(sql, {"run": run})
        return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]

    [summary], [trains] = rows(SUMMARY), rows(TRAINS)
    more = {name: rows(sql) for name, sql in MORE.items()}
    return {**summary, "trains": json.loads(trains["roles"] or "[]"), **more}


def tainted(tables: Projections, run: str) -> list[str]:
    """The adapters in use that learnt from what was retracted since."""
    [[found]] = tables.query("SELECT tainted FROM runs WHERE run = $run", {"run": run}).rows
    return list(found)
