"""What is appended to the log, for many viewers at once: it is read once, and each viewer is told.

A viewer that comes late, or comes back with `Last-Event-ID`, reads the log up to where the others are.
"""

import asyncio
import json
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile

from agent0es.errors import StoreError
from agent0es.log import EventLog, Recorded
from agent0es.runs.following import as_json

KEPT = 2_000
"""Events that are kept for viewers; one that is further behind reads the log."""
KEPT_CHARACTERS = 32_000_000
"""Of those; events may be long."""
PAGE = 500
PAGE_CHARACTERS = 64_000
"""What a viewer is given at a time is no longer, but for its last event: one that never reads holds on to it."""
AT_ONCE = 2
"""Viewers that read the log at a time; it would leave no processor for pages if hundreds did."""
QUIET_SECONDS = 15.0
AGAIN_SECONDS = 1.0
LOOK_SECONDS = 0.015
"""Between looks for events of other processes: a sixth of what a viewer may wait; a look takes a tenth of a
millisecond, and there is one for all viewers."""
EACH_SECONDS = 0.0015
"""What is between two messages, for each viewer. Fifty are told within 75 ms then, and an event is seen within 100."""
LONGEST_SECONDS = 0.5
"""But no longer than this."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event as viewers get it."""

    position: int
    stream: str
    run: str
    type: str
    text: str
    """JSON."""
    brief: str
    """JSON of its position, type and stream alone."""


def told(recorded: Recorded) -> Told:
    """An event, written once for all."""
    position, stream, kind = recorded.position, recorded.stream, recorded.event.type
    brief = json.dumps({"position": position, "type": kind, "stream": stream})
    return Told(position, stream, recorded.run, kind, json.dumps(as_json(recorded)), brief)


def _first(events: Iterable[Told]) -> Iterator[Told]:
    """As many as a viewer is given at a time."""
    characters = 0
    for one in events:
        yield one
        characters += len(one.text)
        if characters > PAGE_CHARACTERS:
            return


class Following:
    """Follows a log in a thread of its own, from the first viewer on."""

    def __init__(self, log: EventLog, stopping: asyncio.Event) -> None:
        """`stopping` is set when viewers are to be sent away."""
        self._log, self._stopping = log, stopping
        self._kept: deque[Told] = deque()
        self._characters = 0
        """In `_kept`."""
        self._from: int | None = None
        """All events after this position that were told are in `_kept`; None before the first viewer."""
        self._reading = asyncio.Semaphore(AT_ONCE)
        self._coming: deque[Told] = deque()
        """Read by the thread, not yet in `_kept`."""
        self._telling = False
        self._viewers = 0
        self._not_before = 0.0
        """When viewers are told again, by `time.monotonic`."""
        self._news = asyncio.Event()
        """Set once; the next news are another's. A condition would wake fifty viewers one after the other."""
        self._thread: threading.Thread | None = None

    async def events(self, after: int, run: str | None = None) -> AsyncIterator[list[Told]]:
        """Events after a position, and those to come, some at a time, until the service stops; none of them when it was
        quiet for a while."""
        if self._from is None:
            self._from = self._log.head()  # nobody else may begin meanwhile
            self._start(asyncio.get_running_loop(), self._from)
        self._viewers += 1
        try:
            async for page in self._events(after, run):
                yield page
        finally:
            self._viewers -= 1

    async def _events(self, after: int, run: str | None) -> AsyncIterator[list[Told]]:
        assert self._from is not None, "it follows"
        while not self._stopping.is_set():
            if after < self._from:
                async with self._reading:
                    page, after = await asyncio.to_thread(self._page, after, self._from, run)
            else:
                page = self._newer(after)
                after = page[-1].position if page else after
                page = [one for one in page if run is None or one.run == run]
            if page or not await self._wait(after):
                yield page

    def _newer(self, after: int) -> list[Told]:
        """The first of what is kept after a position: looked for from the end, where nearly every viewer is."""
        found = list(takewhile(lambda one: one.position > after, reversed(self._kept)))
        return list(_first(reversed(found)))

    def _page(self, after: int, until: int, run: str | None) -> tuple[list[Told], int]:
        """The first events in the log between two positions, and the position up to which these are all."""
        every = self._log.read(after=after, until=until, run=run, limit=PAGE)
        page = list(_first(told(one) for one in every))
        all_read = len(page) < PAGE and next(every, None) is None
        return page, until if all_read else page[-1].position

    def _keep(self, one: Told) -> None:
        self._kept.append(one)
        self._characters += len(one.text)
        while len(self._kept) > KEPT or self._characters > KEPT_CHARACTERS:
            gone = self._kept.popleft()
            self._characters -= len(gone.text)
            self._from = gone.position

    async def _wait(self, after: int) -> bool:
        """Until there may be something after a position, or the service stops; False where it was quiet."""
        if self._stopping.is_set() or (self._kept and self._kept[-1].position > after):
            return True
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _start(self, loop: asyncio.AbstractEventLoop, after: int) -> None:
        self._thread = threading.Thread(target=self._follow, args=(loop, after), name="following the log", daemon=True)
        self._thread.start()

    def _follow(self, loop: asyncio.AbstractEventLoop, after: int) -> None:
        while not self._log.closing.is_set():
            try:
                for recorded in self._log.subscribe(after=after, look_seconds=LOOK_SECONDS):
                    after = recorded.position
                    self._coming.append(told(recorded))
                    if not self._telling and not loop.is_closed():
                        self._telling = True  # one that is on its way takes along what comes until it is there
                        asyncio.run_coroutine_threadsafe(self._tell(), loop)
            except StoreError as error:  # a server that is gone for a while, or the log was closed meanwhile
                if not self._log.closing.wait(AGAIN_SECONDS):
                    logging.getLogger("agent0es.service").warning("the log can't be followed: %s", error)

    async def _tell(self) -> None:
        await asyncio.sleep(self._not_before - time.monotonic())
        self._not_before = time.monotonic() + min(EACH_SECONDS * self._viewers, LONGEST_SECONDS)
        self._telling = False  # before looking: what comes from now on is told by another
        while self._coming:
            self._keep(self._coming.popleft())
        await self.wake()

    async def wake(self) -> None:
        """Have the viewers look; those of a service that stops go away."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    def close(self) -> None:
        """After the log was closed."""
        if self._thread is not None:
            self._thread.join()
