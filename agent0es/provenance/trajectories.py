"""The attempts behind a dataset or at a task, with their sandbox calls."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from agent0es.domain.names import task_of
from agent0es.domain.retraction import covers
from agent0es.projections import Projections, sources


@dataclass(slots=True)
class Trajectories:
    """Tasks by number and attempts by name, each a record of plain values, in log order."""

    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    attempts: dict[str, dict[str, Any]] = field(default_factory=dict)


def collect(tables: Projections, run: str, named: Collection[str]) -> Trajectories:
    """The attempts that sources of a dataset name, or that belong to a task that they name, and their tasks."""
    numbers = _numbers(str(task_of(name) or name) for name in named)
    whole = _numbers(named)
    begun, calls = sources.attempts(tables, run, [name for name in named if not name.isdecimal()], whole)
    found = Trajectories(
        {str(row["task"]): row for row in sources.tasks(tables, run, numbers)},
        {row["attempt"]: {**row, "calls": []} for row in begun},
    )
    for call in calls:
        found.attempts[call.pop("attempt")]["calls"].append(call)
    retracted = sources.retracted(tables, run)
    for source, record in (*found.tasks.items(), *found.attempts.items()):
        record["retracted"] = any(covers(what, source) for what in retracted)
    return found


def _numbers(names: Iterable[str]) -> set[int]:
    """Those that name a task. Python reads no number of thousands of digits, and no task has one."""
    return {int(name) for name in names if name.isdecimal() and len(name) <= len(str(sources.LARGEST))}
