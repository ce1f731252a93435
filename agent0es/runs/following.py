"""The events of a run, of one task or of one attempt: those that are there, and those that come."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

from agent0es.domain.events import Event
from agent0es.domain.names import stream, task_of
from agent0es.errors import QueryError, UnknownName, nearest
from agent0es.log import EventLog, Recorded

POLL_SECONDS = 0.2
"""How often `follow` looks for new events."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are asked for. Raises QueryError for a type that there is not."""

    types: frozenset[str] = frozenset()
    """Empty for all."""
    task: int | None = None
    attempt: str | None = None

    def __post_init__(self) -> None:
        known = [kind.__name__ for kind in get_args(Event)]
        for name in self.types:
            if name not in known:
                raise QueryError(f"--type {name}: there is no such event; there are: {', '.join(known)}")

    def __call__(self, recorded: Recorded) -> bool:
        event = recorded.event
        if self.types and event.type not in self.types:
            return False
        attempt = getattr(event, "attempt", None)
        if self.attempt is not None:
            return attempt == self.attempt
        return self.task is None or self.task in (getattr(event, "task", None), task_of(attempt or ""))


def as_json(recorded: Recorded) -> dict[str, Any]:
    """An event as a value of JSON, with its texts in full."""
    meta = recorded.meta
    return {
        "position": recorded.position,
        "stream": recorded.stream,
        "version": recorded.version,
        "type": recorded.event.type,
        "content": recorded.event.model_dump(mode="json"),
        "meta": {
            "event_id": str(meta.event_id),
            "time": meta.time,
            "host": meta.host,
            "handler": meta.handler,
            "cause": None if meta.cause is None else str(meta.cause),
            "correlation": meta.correlation,
            "measured": dict(meta.measured),
        },
        "hash": recorded.content_hash,
        "chain_hash": recorded.chain_hash,
    }


def events(log: EventLog, run: str, wanted: Wanted, after: int = 0) -> Iterator[Recorded]:
    """The run's events after a position that are asked for. Raises QueryError, UnknownName."""
    _check(log, run, wanted, after)
    return filter(wanted, log.read(run=run, after=after, types=wanted.types or None))


def follow(
    log: EventLog, run: str, wanted: Wanted, after: int | None = None, idle: Callable[[], None] = lambda: None
) -> Iterator[Recorded]:
    """The events that are appended from now on, or after a position, until the run is completed and nobody drives it.

    `idle` is called once when the run is seen not to be driven. Raises QueryError, UnknownName.
    """
    _check(log, run, wanted, after or 0)
    return filter(wanted, _appended(log, run, log.head() if after is None else after, idle))


def _appended(log: EventLog, run: str, after: int, idle: Callable[[], None]) -> Iterator[Recorded]:
    completed = any(log.read(run=run, types=["RunCompleted"], limit=1))
    told = False
    while True:
        driven = run in log.drivers()  # before the read: what a driver wrote before it let go is read after that
        for recorded in log.read(run=run, after=after):
            after = recorded.position
            completed = completed or recorded.event.type == "RunCompleted"
            yield recorded
        if completed and not driven:
            return
        if not driven and not told:
            idle()
            told = True
        time.sleep(POLL_SECONDS)


def _check(log: EventLog, run: str, wanted: Wanted, after: int) -> None:
    """Raise QueryError for a position after the log's end, UnknownName for a task or attempt without an event."""
    from agent0es.provenance.whole import attempt_names

    if after > log.head():
        raise QueryError(f"--after {after}: the log ends at position {log.head()}")
    attempt, task = wanted.attempt, wanted.task
    if attempt is not None and next(log.read(stream=stream("attempt", run, attempt), limit=1), None) is None:
        near = nearest(attempt, attempt_names(log.read(run=run, types=["AttemptStarted"])))
        raise UnknownName(f"run {run} has no attempt {attempt!r}; {near}")
    if task is not None and next(log.read(stream=stream("task", run, task), limit=1), None) is None:
        raise UnknownName(f"run {run} has no task {task}; list its tasks with", see=("sql", "FROM tasks"))
