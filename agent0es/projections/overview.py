"""A run at a glance: its row in the table of runs, and its rows in the tables that say more."""

import json
from collections.abc import Iterator
from typing import Any

from agent0es.projections.answers import objects
from agent0es.projections.tables import Projections

RUNS = "FROM runs ORDER BY position"

SUMMARY = "SELECT * EXCLUDE (configuration, weights, position) FROM runs WHERE run = $run"

TRAINS = "SELECT configuration -> '$.training.roles' AS roles FROM runs WHERE run = $run"

ADAPTERS = "SELECT adapter FROM adapters WHERE run = $run ORDER BY position"

ADAPTER = "FROM adapters WHERE run = $run AND adapter = $adapter"

TRAINING_NOW = """
SELECT a.run, a.adapter, t.step, t.steps, t.loss, t.tokens_per_second
FROM facts.in_training a LEFT JOIN (
    FROM training_steps QUALIFY row_number() OVER (PARTITION BY run, adapter ORDER BY position DESC) = 1
) t USING (run, adapter)
ORDER BY a.position
"""

TRAINING = """
SELECT step, steps, loss, gradient_norm, learning_rate, tokens, metrics, tokens_per_second, seconds, time
FROM training_steps WHERE run = $run AND adapter = $adapter ORDER BY step
"""

TASKS = "FROM tasks WHERE run = $run AND task > $after ORDER BY task LIMIT $limit"

ROUTES = "FROM routes WHERE $before IS NULL OR position < $before ORDER BY position DESC LIMIT $limit"

COURSES = """
SELECT run, c.cost_usd, e.held_out
FROM (SELECT run, sum(cost_usd) AS cost_usd FROM model_calls GROUP BY run) c
FULL JOIN (
    SELECT run, list(share ORDER BY position) AS held_out FROM (
        SELECT run, adapter, sum(correct) / sum(problems) AS share, max(position) AS position
        FROM evaluations WHERE arm = adapter GROUP BY run, adapter
    ) GROUP BY run
) e USING (run)
"""

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


def training_now(tables: Projections) -> dict[str, dict[str, Any]]:
    """Run to the adapter whose training has begun and not ended, the latest where there are several, and how far it
    is."""
    return {row["run"]: row for row in objects(tables.query(TRAINING_NOW))}


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


def adapters_of(tables: Projections, run: str) -> list[str]:
    """The names of a run's adapters, in the order of their datasets."""
    return [name for [name] in tables.query(ADAPTERS, {"run": run}).rows]


def tasks(tables: Projections, run: str, after: int, limit: int) -> list[dict[str, Any]]:
    """The first rows of a run's tasks whose number is above `after`."""
    return list(objects(tables.query(TASKS, {"run": run, "after": after, "limit": limit})))


def routes(tables: Projections, before: int | None, limit: int) -> list[dict[str, Any]]:
    """The latest questions to the router, those before a position only, the last one first."""
    return list(objects(tables.query(ROUTES, {"before": before, "limit": limit})))


def training(tables: Projections, run: str, adapter: str) -> dict[str, Any] | None:
    """An adapter's row and, as `training`, its rows in the table `training_steps`; None where the run has none of this
    name."""
    named = {"run": run, "adapter": adapter}
    for row in objects(tables.query(ADAPTER, named)):
        return {**row, "training": list(objects(tables.query(TRAINING, named)))}
    return None


def courses(tables: Projections) -> dict[str, dict[str, Any]]:
    """Run to what it cost and to its adapters' shares of held-out problems, in order."""
    return {row["run"]: row for row in objects(tables.query(COURSES))}
