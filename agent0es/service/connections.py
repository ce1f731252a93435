"""What a connection may do before it has asked for something: wait a little, and be one of so many.

Whoever can reach the port can open connections and say nothing, with or without the token; uvicorn keeps such for ever.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from agent0es.service.security import HEADERS

REQUEST_SECONDS = 30.0
"""In which a request must be there, with its body."""
MOST_CONNECTIONS = 700
"""At a time; a process may usually have 1,024 files open, of which the store and the runs need some."""
UNREADABLE = "This is no request that can be read; see that it has one Host.\n"


class Connection(H11Protocol):
    """A connection of the service. It is closed when a request takes too long to come; a long answer is none."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        else:
            self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._begin()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """In place of uvicorn's own, which has none of the headers of every answer."""
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            lines = ["HTTP/1.1 400 Bad Request", *(f"{name}: {value}" for name, value in HEADERS.items())]
            lines += ["Content-Type: text/plain; charset=utf-8", f"Content-Length: {len(UNREADABLE)}"]
            self.transport.write("\r\n".join([*lines, "Connection: close", "", UNREADABLE]).encode())
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """There are no web sockets here, and none are missing: such a request is answered as any other."""

    def _begin(self) -> None:
        self._end()
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._late)

    def _end(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def _late(self) -> None:
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            self.transport.abort()
