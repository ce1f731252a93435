"""A run's full history: what it inherited from the run that it was forked from, and what it did itself.

A fork's past is its parent's up to a position, and the parent may be a fork too. So a history is a row of segments,
oldest first, each a run and the last of its events that counts. Positions are those of the log, and grow over all of
them.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from agent0es.domain import names
from agent0es.domain.events import EvaluationStarted, RunForked, RunStarted
from agent0es.errors import LogError
from agent0es.log.event_log import EventLog
from agent0es.log.records import Recorded

Beginning = RunStarted | RunForked | EvaluationStarted
"""What a run, or an evaluation by itself, begins with."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The part of a history that one run wrote."""

    run: str
    until: int | None
    """Position of the last event that counts; None when all do."""
    started: Beginning | None
    """How the run began, with its configuration; None of what is no run."""


@dataclass(frozen=True, slots=True)
class History:
    """The events of a run and of those that it descends from, as if they were one run's."""

    log: EventLog
    segments: tuple[Segment, ...]

    @classmethod
    def of(cls, log: EventLog, run: str, until: int | None = None) -> "History":
        """The history of a run, up to a position. Raises LogError when the run has no beginning in this log."""
        if run in names.NO_RUNS:
            return cls(log, (Segment(run, until, None),))
        segments: list[Segment] = []
        name: str | None = run
        while name is not None:
            position, started = _beginning(log, name)
            if until is None or until >= position or not isinstance(started, RunForked):
                segments.append(Segment(name, until, started))  # else all of it lies before the fork
            name = None
            if isinstance(started, RunForked):
                name, until = started.parent, min(until or started.position, started.position)
        return cls(log, tuple(reversed(segments)))

    def read(
        self,
        *,
        after: int = 0,
        until: int | None = None,
        types: Collection[str] | None = None,
        stream: tuple[str, str | int] | None = None,
    ) -> Iterator[Recorded]:
        """Events in order of position, as `EventLog.read` has them.

        `stream` is a kind and a name: `("task", 12)` is task 12 of whichever run worked on it.
        """
        for segment in self.segments:
            last = segment.until if until is None else until if segment.until is None else min(until, segment.until)
            if last is not None and last <= after:
                continue
            yield from self.log.read(
                after=after,
                until=last,
                run=segment.run if stream is None else None,  # the stream alone finds its index
                stream=None if stream is None else names.stream(stream[0], segment.run, stream[1]),
                types=types,
            )

    def handled(self) -> set[tuple[str, int]]:
        """All (handler, position of the cause) whose effects are complete in this history."""
        return {mark for segment in self.segments for mark in self.log.handled(segment.run, segment.until)}

    @property
    def started(self) -> Beginning:
        """The event with the configuration in force at the end of the history."""
        started = self.segments[-1].started
        assert started is not None, "whoever asks for it has a run"
        return started


def _beginning(log: EventLog, run: str) -> tuple[int, Beginning]:
    """Position and event with which a run began."""
    for recorded in log.read(run=run, types=["RunStarted", "RunForked", "EvaluationStarted"], limit=1):
        if isinstance(recorded.event, Beginning):
            return recorded.position, recorded.event
    raise LogError(f"run {run} has no RunStarted event; the store is damaged")
