"""Where an adapter comes from, and what a task was used for."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agent0es.log import EventLog
from agent0es.runs.finding import find_run

if TYPE_CHECKING:
    from agent0es.projections import Projections


class Place(NamedTuple):
    """Something that has a lineage."""

    run: str | None
    """As it was written: a name, a prefix, `latest`; None where it was not."""
    name: str

    @property
    def is_task(self) -> bool:
        """A number is a task's, anything else an adapter's name."""
        return self.name.isdecimal()


def place(text: str) -> Place:
    """`student-1`, `12`, `RUN/student-1` or `RUN/12` as run and name."""
    run, slash, name = text.rpartition("/")
    return Place(run if slash else None, name)


def lineage(log: EventLog, tables: "Projections", store: Path, what: Place) -> dict[str, Any]:
    """The record of an adapter or a task; of an adapter also whether its files are those in the log.

    Raises RunNotFound, UnknownName.
    """
    from agent0es.provenance.lineage import lineage_of_adapter, lineage_of_task

    run = find_run(log, what.run or "latest")
    if what.is_task:
        return lineage_of_task(log, tables, run, what.name)
    return lineage_of_adapter(log, tables, store, run, what.name)


def is_sound(found: dict[str, Any]) -> bool:
    """Whether no file of an adapter differs from what the log has of it; one that is gone is no sign of that."""
    return all(check["verdict"] not in ("different", "unreadable") for check in found.get("files", ()))
