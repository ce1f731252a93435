"""What all parts of the service share: the store, its log and tables, the router, and whether it is stopping."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import Request

from agent0es.bootstrap import open_store
from agent0es.errors import Agent0Error
from agent0es.log import EventLog
from agent0es.runs import launching
from agent0es.service.following import Following
from agent0es.service.shared import Shared

if TYPE_CHECKING:
    from agent0es.configuration import Configuration
    from agent0es.projections import Projections
    from agent0es.runs.routing import Router

T = TypeVar("T")
PATIENCE_SECONDS = 10.0
"""How long what was begun may go on after the service was told to stop."""


@dataclass(slots=True)
class Service:
    """One store, served. Everything in it may be used by many requests at once; `tables` by one at a time."""

    store: Path
    configuration: "Configuration"
    log: EventLog
    router: "Router | None"
    """None where nobody is to be asked."""
    _tables: "Projections"
    settings: launching.Settings = field(default_factory=launching.Settings)
    """What a run is begun with that is started here."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the service is told to stop: streams end then."""
    following: Following = field(init=False)
    """What is appended to the log, for viewers."""
    shared: Shared = field(default_factory=Shared)
    """What pages that are open ask for again and again."""
    _work: set[asyncio.Task[Any]] = field(default_factory=set)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.following = Following(self.log, self.stopping)

    @contextmanager
    def tables(self) -> "Iterator[Projections]":
        """Tables that hold all of the log, for short queries of ours; blocks while somebody else has them, so use it in
        a thread (an endpoint that is no coroutine is called in one). Read the answers before leaving."""
        with self._turn:
            self._tables.catch_up()
            yield self._tables

    def command(self, words: Sequence[str]) -> str:
        """What a person would type for the same."""
        return launching.command(self.store, words, self.configuration.log.url)

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin something that goes on when who asked for it is gone. It is cancelled when the service ends."""
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._ended)
        return task

    def stop(self) -> None:
        """Have streams end now, and what was begun in a while."""
        self.stopping.set()
        self.start(self.following.wake())
        asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._cancel)

    async def end(self) -> None:
        """Cancel what was begun, and wait until it has cleaned up."""
        self._cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    def _cancel(self) -> None:
        for task in self._work:
            task.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._work.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Agent0Error):
            logging.getLogger("agent0es.service").error("a fault of the service", exc_info=error)


@asynccontextmanager
async def opened(
    store: Path, configuration: "Configuration", with_router: bool, settings: launching.Settings | None = None
) -> AsyncIterator[Service]:
    """A store's service, while it runs. Raises StoreError and ConfigurationError."""
    from agent0es.projections import PROJECTIONS_FILE, Projections
    from agent0es.runs.routing import open_router

    async with AsyncExitStack() as stack:
        log = stack.enter_context(open_store(store, create=True, url=configuration.log.url))
        tables = stack.enter_context(Projections.open(log, store / PROJECTIONS_FILE))
        router = await stack.enter_async_context(open_router(store, log, configuration)) if with_router else None
        service = Service(store, configuration, log, router, tables, settings or launching.Settings())
        stack.push_async_callback(service.end)
        yield service
    service.following.close()


def service_of(request: Request) -> Service:
    """The service that a request is for."""
    found = request.app.state.service
    assert isinstance(found, Service), "it is set before the first request"
    return found


async def asked(request: Request) -> Service:
    """The same, as `Depends(asked)`: what is no coroutine FastAPI calls in a thread, for each request."""
    return service_of(request)
