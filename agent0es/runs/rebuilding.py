"""Retrain an adapter that learnt from something that was retracted since: the same training without it."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent0es.log import EventLog
from agent0es.runs.driving import Watcher, drive_run
from agent0es.runs.settings import configuration_of

if TYPE_CHECKING:
    from agent0es.domain.run import RunState
    from agent0es.handlers.base import Ports
    from agent0es.provenance.retraction import Rebuild


class RebuildWatcher(Watcher, Protocol):
    """Is told what is rebuilt, and then how it goes."""

    def rebuilding(self, plan: "Rebuild | None") -> None:
        """What is rebuilt under which name; None when an earlier rebuild, which was cut off, is resumed."""
        ...


async def rebuild(store: Path, log: EventLog, run: str, name: str | None, watcher: RebuildWatcher) -> "RunState":
    """Retrain the tainted adapter of a completed run as `name`, evaluate it, and let the gate decide.

    The caller holds the lease on the run. Raises RetractionError when there is nothing to rebuild or the name is taken,
    and what `drive_run` raises.
    """

    def begin(ports: "Ports") -> None:
        watcher.rebuilding(start_rebuild(ports, name))

    return await drive_run(store, log, run, configuration_of(log, run), watcher, begin)


def start_rebuild(ports: "Ports", name: str | None) -> "Rebuild | None":
    """Choose what a tainted adapter's clean successor learns from. Writes DatasetBuilt, to which the handlers react.

    None when an earlier one that was cut off is to be resumed.
    """
    from agent0es.projections.state import state_at
    from agent0es.provenance.retraction import plan_rebuild, unfinished

    state = state_at(ports.log, ports.run)
    if unfinished(state):
        return None
    plan = plan_rebuild(state, ports.run, name)
    ports.log.append([ports.datasets.choose(plan.role, plan.iteration, plan.adapter)], handler="cli")
    return plan
