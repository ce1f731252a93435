"""What goes into the log and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from agent0es.domain.events import Event
from agent0es.domain.names import read_stream
from agent0es.domain.task import Scalar


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event on its way into the log."""

    stream: str
    """E.g. `task/<run>/12`. The second segment is the run."""
    event: Event
    measured: Mapping[str, Scalar] = field(default_factory=dict)
    """Measurements: seconds, tokens per second, peak memory… Meta, not content."""


class Mark(NamedTuple):
    """A handler is done with a cause on behalf of a run."""

    run: str
    position: int
    """Of the cause."""
    handler: str
    committed: int
    """The last event of what came of it, or one after it."""


@dataclass(frozen=True, slots=True)
class Meta:
    """How an event came about. Not covered by the content hash."""

    event_id: UUID
    """uuid5 of the cause, the handler, the stream, the event's type and its count among those."""
    time: float
    """Unix time in seconds when it was appended."""
    host: str
    handler: str
    """Who appended it; `cli` for what the user did."""
    cause: UUID | None
    """Event that it was a reaction to."""
    correlation: str
    """The run."""
    measured: Mapping[str, Scalar] = field(default_factory=dict)
    handled: tuple[Mark, ...] = ()
    """The mark that was made with this event, and those of its run that were made without events since the last one.
    So the chain covers them (`marks`)."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as it stands in the log."""

    position: int
    """Global sequence number, without gaps visible to readers."""
    stream: str
    version: int
    """Place in its stream, from 1."""
    event: Event
    meta: Meta
    content_hash: str
    """sha256 of the event's content in canonical JSON."""
    chain_hash: str
    """sha256 of the previous row's chain hash and this row's stored bytes."""

    @property
    def run(self) -> str:
        found = read_stream(self.stream)
        assert found is not None, "the log takes events in streams of runs only"
        return found.run
