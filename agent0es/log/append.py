"""What one caller wants in the log, on its way there."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from agent0es.domain.names import NAME_RULE, is_name
from agent0es.errors import LogError
from agent0es.log.mapper import Content
from agent0es.log.records import NewEvent, Recorded


@dataclass(slots=True, eq=False)
class Append:
    """Events that go into the log together or not at all, and who waits for them."""

    events: Sequence[NewEvent]
    contents: Sequence[Content]
    handler: str
    cause: Recorded | None
    handled_by: str | None
    """Run on whose behalf the cause is handled with this append; None when it isn't."""
    expected: Mapping[str, int] = field(default_factory=dict)
    """Stream to the version that it must have; 0 is one without events."""
    waiting: "asyncio.Future[list[Recorded]] | None" = None
    outcome: list[Recorded] | Exception | None = None
    woken: threading.Event | None = None
    """Of a synchronous caller: there is an outcome, or it is his turn to commit."""

    @property
    def streams(self) -> set[str]:
        """Those that are appended to, and those whose version is looked at."""
        return {new.stream for new in self.events} | self.expected.keys()

    @property
    def runs(self) -> set[str]:
        found = {run_of(new.stream) for new in self.events}
        return found | {self.handled_by} if self.handled_by else found


@lru_cache(10_000)
def run_of(stream: str) -> str:
    """The run that a stream belongs to. Raises LogError when its name has no second segment that may name a run."""
    segments = stream.split("/", 2)
    if len(segments) < 2 or not all(segments):
        raise LogError(f"{stream[:200]!r} is not a stream name; it should look like task/<run>/12")
    if not is_name(segments[1]):
        raise LogError(f"{segments[1][:200]!r} can't be the name of a run; {NAME_RULE}")
    return segments[1]
