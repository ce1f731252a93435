"""How a run stands: what the log says of it, and whether a process drives it now."""

from collections.abc import Collection
from typing import Literal

from agent0es.log import EventLog
from agent0es.projections import Projections

Status = Literal["completed", "failed", "interrupted", "not started", "running", "training"]


def status_of(in_log: str, driven: bool, trains: bool) -> Status:
    """`in_log` is the status in the table `runs`; `driven` says whether a live process holds the run's lease, `trains`
    whether the training of an adapter has begun and not ended. Pure."""
    match in_log:
        case _ if driven and trains:
            return "training"
        case "completed":
            return "completed"  # also while an adapter that was asked for later is evaluated
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
    rows = tables.query("SELECT run, status FROM facts.run_status ORDER BY position").rows
    # What nobody drives does not train, whatever has begun.
    trains = {run for [run] in tables.query("SELECT run FROM facts.in_training").rows} if drivers else set()
    return {run: status_of(status, run in drivers, run in trains) for run, status in rows}
