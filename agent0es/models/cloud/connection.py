"""HTTP clients for the providers' own libraries, with bounds: seconds to connect, seconds of silence, bytes.

Three of them are on httpx2, Cohere's still on httpx; what differs is the name.
"""

import codecs
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agent0es.models.http.faults import Fault, ServerFault, no_json, why_not_read
from agent0es.models.http.reading import END, Events, TooLong, parse

if TYPE_CHECKING:
    import httpx
    import httpx2

MOST_BYTES = 16 * 2**20
"""Of one answer."""
LONGEST_LINE = 2**20
"""Bytes, in a stream. The libraries put long lines together piece by piece, which takes the square of their length."""
CONNECTIONS = 256
utf_8 = codecs.getincrementaldecoder("utf-8")
TYPES = ("text/event-stream", "application/json", "application/stream+json", "")
"""Content types of answers. What stands between us and a provider may leave it out."""
LOCAL = ("localhost", "127.0.0.1", "::1")
PLAIN = {"Accept-Encoding": "identity"}
"""What is compressed may become a thousand times as long as what was counted."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How a provider is reached."""

    base_url: str | None
    """None is the provider's own."""
    connect_seconds: float
    read_seconds: float
    """Most seconds without a byte."""


def http2_client(at: Connection) -> "httpx2.AsyncClient":
    """A client for the libraries of Anthropic, OpenAI and Google."""
    import httpx2

    client: httpx2.AsyncClient = _client(httpx2, at)
    return client


def http_client(at: Connection) -> "httpx.AsyncClient":
    """A client for Cohere's library."""
    import httpx

    client: httpx.AsyncClient = _client(httpx, at)
    return client


def _client(library: Any, at: Connection) -> Any:
    """Redirections are not followed: the libraries send the key in headers that would go along to another host."""

    class Read(library.AsyncByteStream):  # type: ignore[misc]
        """Bytes on their way to a library, which may pass over what it can't read, and say nothing."""

        def __init__(self, stream: Any, events: bool) -> None:
            self._stream, self._events = stream, events

        async def __aiter__(self) -> AsyncIterator[bytes]:
            read, letters, events = 0, utf_8(), Events(LONGEST_LINE)
            async for piece in self._stream:
                read += len(piece)
                try:
                    if read > MOST_BYTES:
                        raise TooLong(f"an answer of more than {MOST_BYTES} bytes")
                    letters.decode(piece)
                    for data in events.feed(piece) if self._events else ():
                        if data != END:
                            parse(data)
                except TooLong as error:
                    raise ServerFault(Fault("too long", str(error))) from None
                except ValueError as error:
                    raise ServerFault(Fault("unreadable", no_json(error))) from None
                yield piece

        async def aclose(self) -> None:
            await self._stream.aclose()

    async def bounded(response: Any) -> None:
        """Called before a body is read."""
        if why := why_not_read(response.headers, TYPES if response.is_success else None):
            raise ServerFault(Fault("unreadable", why, response.status_code))
        response.stream = Read(response.stream, "event-stream" in response.headers.get("content-type", "").lower())

    host = urlsplit(at.base_url or "").hostname
    return library.AsyncClient(
        trust_env=host not in LOCAL,  # one's own machine is not behind a proxy, whatever the environment says
        timeout=library.Timeout(at.read_seconds, connect=at.connect_seconds),
        limits=library.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        headers=PLAIN,
        follow_redirects=False,
        event_hooks={"response": [bounded]},
    )
