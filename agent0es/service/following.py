"""What is appended to the log, for many viewers at once: it is read once, and each viewer is told.

A viewer that comes late, or comes back with `Last-Event-ID`, reads the log up to where the others are.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
LOOK_SECONDS = 0.04
"""Between looks at the log, which any process may append to: an event is on a page within 100 ms. A look finds what
has come meanwhile, and everybody is told of it together, so looks that are further apart cost less of everything."""
EACH_SECONDS = 0.0015
"""But at least so long for each viewer, who takes a tenth of that: fifty are told every 75 ms."""
LONGEST_SECONDS = 0.5
"""And no longer than this."""


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
    """Follows a log while there are viewers."""

    def __init__(self, log: EventLog, stopping: asyncio.Event) -> None:
        """`stopping` is set when viewers are to be sent away."""
        self._log, self._stopping = log, stopping
        self._kept: deque[Told] = deque()
        self._characters = 0
        """In `_kept`."""
        self._from = 0
        """All events after this position that were told are in `_kept`."""
        self._reading = asyncio.Semaphore(AT_ONCE)
        self._viewers = 0
        self._news = asyncio.Event()
        """Set once; the next news are another's. A condition would wake fifty viewers one after the other."""
        self._following: asyncio.Task[None] | None = None
        self._reader = ThreadPoolExecutor(1, "following the log")
        """Of its own: other threads may all be busy with pages."""

    async def events(self, after: int, run: str | None = None) -> AsyncIterator[list[Told]]:
        """Events after a position, and those to come, some at a time, until the service stops; none of them when it was
        quiet for a while."""
        self._viewers += 1
        try:
            if self._following is None or self._following.done():
                self._from = self._log.head()  # what came while nobody followed is not read for nobody
                self._kept.clear()
                self._characters = 0
                self._following = asyncio.create_task(self._follow())
            async for page in self._events(after, run):
                yield page
        finally:
            self._viewers -= 1

    async def _events(self, after: int, run: str | None) -> AsyncIterator[list[Told]]:
        while not self._stopping.is_set():
            if after < self._from:
                async with self._reading:
                    until = self._from
                    page, every = await asyncio.to_thread(self._page, after, until, run)
                after = until if every else page[-1].position
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

    def _page(self, after: int, until: int | None, run: str | None) -> tuple[list[Told], bool]:
        """The first events in the log between two positions, and whether these are all."""
        every = self._log.read(after=after, until=until, run=run, limit=PAGE)
        page = list(_first(told(one) for one in every))
        return page, len(page) < PAGE and next(every, None) is None

    def _keep(self, page: Iterable[Told]) -> None:
        for one in page:
            self._kept.append(one)
            self._characters += len(one.text)
        while len(self._kept) > KEPT or self._characters > KEPT_CHARACTERS:
            gone = self._kept.popleft()
            self._characters -= len(gone.text)
            self._from = gone.position

    async def _wait(self, after: int) -> bool:
        """Until there may be something after a position, or the service stops; False where it was quiet."""
        if self._stopping.is_set() or after < self._from or (self._kept and self._kept[-1].position > after):
            return True
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def _follow(self) -> None:
        loop, after = asyncio.get_running_loop(), self._from
        while self._viewers and not self._stopping.is_set():
            pause = min(max(LOOK_SECONDS, EACH_SECONDS * self._viewers), LONGEST_SECONDS)
            try:
                page, every = await loop.run_in_executor(self._reader, self._page, after, None, None)
            except StoreError as error:  # a server that is gone for a while
                if not self._stopping.is_set():
                    logging.getLogger("agent0es.service").warning("the log can't be followed: %s", error)
                page, every, pause = [], True, AGAIN_SECONDS
            if page:
                after = page[-1].position
                self._keep(page)
                await self.wake()
            await asyncio.sleep(pause if every else 0)

    async def wake(self) -> None:
        """Have the viewers look; those of a service that stops go away."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    def close(self) -> None:
        """After the log was closed."""
        self._reader.shutdown()
