"""Are the marks in the table `handled` those that were made?

A mark in the table `handled` says that a handler is done with a cause: one too many skips work, one too few repeats it.
The chain covers marks because events say them: the last event of a reaction says the mark that was made with it, and a
mark that was made without events is said by the next event of its run. So every mark that an event says must be there,
and from a run's first event that says any, every mark must be said by one.

Marks that no event says (made before events said marks, or last in their run) are checked by the events that they
stand for: there must be an event that the handler made in reaction to the cause, none of them after the mark, and the
mark must belong to the cause's run or to a fork of it.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from agent0es.errors import LogError
from agent0es.log.mapper import decode_meta, split_state
from agent0es.log.records import Mark

SAID = b',"handled":['
"""Where an event's meta begins to say marks. Quotes inside strings are escaped, so it is never part of one."""

_CAUSE = b',"cause":"'
_ID = 36

Finding = tuple[int | None, str]
"""Position of an event, where there is one, and what is wrong."""


class MarkIndex:
    """The marks that events say, compared with those of the table. Memory is some 100 bytes a mark."""

    def __init__(self) -> None:
        self._said: dict[Mark, int] = {}
        """Mark to the position of the event that says it."""
        self._first: dict[bytes, int] = {}
        """Run to its first event that says a mark."""
        self._last: dict[bytes, int] = {}
        """Run to its last event."""
        self._parents: dict[str, str] = {}
        self._unsaid: list[Mark] = []
        self._finding: Finding | None = None

    def add(self, position: int, run: bytes, topic: bytes, meta: bytes, content: bytes) -> None:
        """An event of the catalogue, in order of position, whose hashes are right. Raises LogError for a forged one."""
        self._last[run] = position
        if SAID in meta:
            self._first.setdefault(run, position)
            for mark in decode_meta(meta).handled:
                self._said.setdefault(mark, position)
        if topic.startswith(b"RunForked@"):
            self._parents[run.decode()] = _parent(content)

    def hold(self, mark: Mark, typed: bool = True) -> None:
        """A row of the table, after all events, and whether its columns are of the right types."""
        if not typed:
            self._finding = self._finding or (None, "a mark in `handled` has a value of the wrong type")
        elif self._said.pop(mark, None) is None:
            first = self._first.get(mark.run.encode())
            if first is not None and first <= mark.committed < self._last[mark.run.encode()]:
                self._finding = self._finding or (None, f"{shown(mark)}: no event says so; it was added or changed")
            self._unsaid.append(mark)

    def finding(self, events: Callable[[int], Iterable[Any]]) -> Finding | None:
        """What is wrong with the marks; None when nothing is. `events` reads the rows again from a position on."""
        if self._finding is not None:
            return self._finding
        if self._said:
            mark, position = min(self._said.items(), key=lambda item: item[1])
            return position, f"{shown(mark)} by this event, but the mark is gone or was changed"
        return self._check_unsaid(events) if self._unsaid else None

    def _check_unsaid(self, events: Callable[[int], Iterable[Any]]) -> Finding | None:
        """Check the marks that no event says by the events that they stand for."""
        waiting: dict[int, list[Mark]] = {}
        for mark in self._unsaid:
            waiting.setdefault(mark.position, []).append(mark)
        open_marks: dict[bytes, list[Mark]] = {}
        """Id of the cause to its marks."""
        made: set[Mark] = set()
        position = 0
        for row in events(min(waiting)):
            position, run, event_id, state = row[0], row[4], row[5], row[6]
            if event_id is None:
                continue
            meta = split_state(state).meta
            start = meta.find(_CAUSE) + len(_CAUSE)
            for mark in open_marks.get(meta[start : start + _ID], ()):
                if _handler(meta) != mark.handler:
                    continue
                if position <= mark.committed:
                    made.add(mark)
                elif run.decode() == mark.run:
                    return position, f"{shown(mark)}, but this later event came of it; the mark was added or changed"
            for mark in waiting.pop(position, ()):
                if not self._descends(mark.run, run.decode()):
                    return position, f"{shown(mark)}, but the event belongs to run {run.decode()}"
                open_marks.setdefault(event_id, []).append(mark)
        if waiting:
            mark = waiting[min(waiting)][0]
            return None, f"{shown(mark)}: there is no such event"
        for mark in self._unsaid:
            if mark not in made:
                return mark.position, f"{shown(mark)}: no event came of it; the mark was added or changed"
            if mark.committed > position:
                return None, f"{shown(mark)} up to event {mark.committed}, which the log hasn't"
        return None

    def _descends(self, run: str, ancestor: str) -> bool:
        """Whether a run is another one, or was forked from it."""
        seen: set[str] = set()
        while run != ancestor and run in self._parents and run not in seen:
            seen.add(run)
            run = self._parents[run]
        return run == ancestor


def _handler(meta: bytes) -> str | None:
    try:
        return decode_meta(meta).handler
    except LogError:  # a forged one, which made nothing
        return None


def _parent(content: bytes) -> str:
    """The run that a RunForked names as its parent."""
    try:
        return str(json.loads(content)["parent"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise LogError("its content is not a RunForked's") from None


def shown(mark: Mark) -> str:
    """A mark in words."""
    return f"{mark.handler[:100]} is marked as done with event {mark.position} for run {mark.run[:100]}"
