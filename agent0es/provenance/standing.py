"""How a run stands: what the log says of it, and whether a process drives it now."""

from collections.abc import Collection
from typing import Literal

from agent0es.log import EventLog
from agent0es.projections import Projections

Status = Literal["completed", "failed", "interrupted", "not started", "running"]


def status_of(in_log: str, driven: bool) -> Status:
    """`in_log` is the status in the table `runs`; `driven` says whether a live process holds the run's lease. Pure."""
    match in_log:
        case "completed":
            return "completed"  # also while an adapter is rebuilt
        case _ if driven:
            return "running"
        case "failed" | "not started" as status:
            return status
        case _:
            return "interrupted"


def standing(log: EventLog, tables: Projections) -> dict[str, Status]:
    """Every run of the store, in order of their first events."""
    drivers: Collection[str] = log.drivers()
    tables.catch_up()  # after the look at who drives: a run that has just been completed is not an interrupted one
    rows = tables.query("SELECT run, status FROM runs ORDER BY position").rows
    return {run: status_of(status, run in drivers) for run, status in rows}
