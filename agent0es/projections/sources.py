"""What stands behind a dataset, or at a task: tasks, their attempts, and the sandbox calls of these."""

from collections.abc import Collection
from typing import Any

from agent0es.projections.answers import objects
from agent0es.projections.tables import Projections

Row = dict[str, Any]

TASKS = """
    SELECT task, iteration, domain, family, difficulty, description, reference
    FROM facts.task_proposed WHERE run = $run AND task IN (SELECT unnest($tasks::INTEGER[])) ORDER BY position
"""
LARGEST = 2**31
"""No task has this number, or a larger one."""
WANTED = """
    WITH wanted AS (
        SELECT run, attempt, task, adapter, position
        FROM facts.attempt_started
        WHERE run = $run AND task IS NOT NULL AND (
            attempt IN (SELECT unnest($attempts::VARCHAR[])) OR task IN (SELECT unnest($whole::INTEGER[])))
    )
"""
ATTEMPTS = """
    SELECT attempt, w.task, w.adapter, s.answer, v.correct, v.second_instance, b.retried_as
    FROM wanted w
    LEFT JOIN facts.solution_submitted s USING (run, attempt)
    LEFT JOIN verifications v USING (run, attempt)
    LEFT JOIN facts.attempt_abandoned b USING (run, attempt)
    ORDER BY w.position
"""
CALLS = """
    SELECT w.attempt, call, r.tool, r.input, r.purpose, coalesce(c.status, 'unknown') AS status, c.output, c.tier
    FROM wanted w JOIN facts.tool_requested r USING (run, attempt) LEFT JOIN facts.tool_called c USING (run, call)
    ORDER BY r.position
"""
RETRACTED = "SELECT what FROM retractions WHERE run = $run ORDER BY position"


def tasks(tables: Projections, run: str, numbers: Collection[int]) -> list[Row]:
    """The proposals of tasks of a run, in order of the log."""
    return list(objects(tables.query(TASKS, {"run": run, "tasks": _numbers(numbers)})))


def attempts(
    tables: Projections, run: str, names: Collection[str], whole: Collection[int]
) -> tuple[list[Row], list[Row]]:
    """Attempts of practice that are named, or that belong to a task in `whole`, and their sandbox calls; both in order
    of the log."""
    named = {"run": run, "attempts": list(names), "whole": _numbers(whole)}
    found, calls = (list(objects(tables.query(WANTED + sql, named))) for sql in (ATTEMPTS, CALLS))
    return found, calls


def _numbers(wanted: Collection[int]) -> list[int]:
    """Those that a task can have."""
    return [number for number in wanted if number < LARGEST]


def retracted(tables: Projections, run: str) -> list[str]:
    """What was retracted in a run: numbers of tasks, names of attempts."""
    return [what for [what] in tables.query(RETRACTED, {"run": run}).rows]
