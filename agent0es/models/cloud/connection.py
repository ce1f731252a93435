"""HTTP clients for the providers' own libraries, with bounds: seconds to connect, seconds of silence, bytes.

Three of them are on httpx2, Cohere's still on httpx; what differs is the name.
"""

import codecs
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx
    import httpx2

MOST_BYTES = 16 * 2**20
"""Of one answer."""
LONGEST_LINE = 2**20
"""Bytes. The libraries put long lines together piece by piece, which takes the square of their length."""
CONNECTIONS = 256
utf_8 = codecs.getincrementaldecoder("utf-8")
"""Some of the libraries put other letters in place of those that they can't read, and say nothing."""
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

    class Counted(library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            read, begun, letters = 0, 0, utf_8()
            async for piece in self._stream:
                read += len(piece)
                begun = len(piece) - piece.rfind(b"\n") - 1 if b"\n" in piece else begun + len(piece)
                if read > MOST_BYTES or begun > LONGEST_LINE:
                    what, most = ("a line", LONGEST_LINE) if begun > LONGEST_LINE else ("an answer", MOST_BYTES)
                    raise library.RemoteProtocolError(f"{what} of more than {most} bytes")
                try:
                    letters.decode(piece)
                except UnicodeDecodeError:
                    raise library.RemoteProtocolError("an answer that is not UTF-8") from None
                yield piece

        async def aclose(self) -> None:
            await self._stream.aclose()

    async def bounded(response: Any) -> None:
        """Called before a body is read."""
        if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise library.RemoteProtocolError("a compressed answer, which was not asked for")
        response.stream = Counted(response.stream)

    host = urlsplit(at.base_url or "").hostname
    return library.AsyncClient(
        trust_env=host not in LOCAL,  # one's own machine is not behind a proxy, whatever the environment says
        timeout=library.Timeout(at.read_seconds, connect=at.connect_seconds),
        limits=library.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        headers=PLAIN,
        follow_redirects=False,
        event_hooks={"response": [bounded]},
    )
