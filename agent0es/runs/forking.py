"""Fork a run: a new run whose past is another one's up to an event, with other settings if wanted."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent0es import __version__
from agent0es.domain import events as ev
from agent0es.domain.names import stream
from agent0es.log import EventLog, NewEvent
from agent0es.runs import finding
from agent0es.runs.jobs import job_of_this_process
from agent0es.runs.starting import Parts

if TYPE_CHECKING:
    from agent0es.configuration import Configuration


def fork_settings(store: Path, log: EventLog, parent: str, position: int, overrides: Iterable[str]) -> "Configuration":
    """The settings of a fork: those in force at the position, with single keys set.

    Raises PositionNotFound when the parent has not been there, ConfigurationError for a change that can't be.
    """
    from agent0es.history.forking import fork_configuration
    from agent0es.projections.snapshots import SNAPSHOTS_FILE, Snapshots

    with Snapshots(log, store / SNAPSHOTS_FILE) as snapshots:
        return fork_configuration(log, snapshots, parent, position, overrides)


@contextmanager
def forked(log: EventLog, parent: str, position: int, configuration: "Configuration", parts: Parts) -> Iterator[str]:
    """A new run that continues another one, which no other process can drive until the end of the block.

    Gives its name. `configuration` is what `fork_settings` gave.
    """
    run = finding.new_run_name(log)
    with log.lease(run):
        fork_run(log, run, parent, position, configuration, parts)
        yield run


def fork_run(log: EventLog, run: str, parent: str, position: int, configuration: "Configuration", parts: Parts) -> None:
    """Write RunForked. The caller holds the lease on the run, and has asked `fork_settings` whether."""
    begun = ev.RunForked(
        parent=parent,
        position=position,
        seed=configuration.seed,
        configuration=configuration.model_dump(mode="json"),
        code_version=__version__,
        weights=dict(parts.weights),
        plugins=dict(parts.plugins),
    )
    log.append([NewEvent(stream("run", run), begun, job_of_this_process())], handler="cli")
