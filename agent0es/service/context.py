"""What all parts of the service share: the store, its log and tables, the router, and whether it is stopping."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import Request

from agent0es.bootstrap import open_store
from agent0es.log import EventLog

if TYPE_CHECKING:
    from agent0es.configuration import Configuration
    from agent0es.projections import Projections
    from agent0es.runs.routing import Router


@dataclass(slots=True)
class Service:
    """One store, served. Everything in it may be used by many requests at once; `tables` by one at a time."""

    store: Path
    configuration: "Configuration"
    log: EventLog
    router: "Router | None"
    """None where nobody is to be asked."""
    _tables: "Projections"
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the service is told to stop: streams end then."""
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def tables(self) -> "Iterator[Projections]":
        """Tables that hold all of the log, for short queries of ours; blocks while somebody else has them, so use it in
        a thread (an endpoint that is no coroutine is called in one). Read the answers before leaving."""
        with self._turn:
            self._tables.catch_up()
            yield self._tables


@asynccontextmanager
async def opened(store: Path, configuration: "Configuration", with_router: bool) -> AsyncIterator[Service]:
    """A store's service, while it runs. Raises StoreError and ConfigurationError."""
    from agent0es.projections import PROJECTIONS_FILE, Projections
    from agent0es.runs.routing import open_router

    async with AsyncExitStack() as stack:
        log = stack.enter_context(open_store(store, create=True, url=configuration.log.url))
        tables = stack.enter_context(Projections.open(log, store / PROJECTIONS_FILE))
        router = await stack.enter_async_context(open_router(store, log, configuration)) if with_router else None
        yield Service(store, configuration, log, router, tables)


def service_of(request: Request) -> Service:
    """The service that a request is for: `Depends(service_of)`."""
    found = request.app.state.service
    assert isinstance(found, Service), "it is set before the first request"
    return found
