"""A raw HTTP/1.1 server for tests, written on sockets so that it can break in every way that servers break.

`HttpServer(answer)` runs in a thread of its own; `answer` is an async function of a request that gives an `Answer`. A
faithful server of some protocol is such a function. `server.fail(fault)` puts a fault before the next answer.
"""

import asyncio
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Request:
    """What a client asked, and what became of it."""

    method: str
    path: str
    """With its query."""
    headers: dict[str, str]
    body: bytes
    ended: str = "open"
    """`answered`, `broken` by a fault, or `left` where the client closed the connection first."""
    sent: int = 0
    """Bytes of a body in pieces that were given to the system to send."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """Status, headers, and a body: bytes, or pieces as they come, which are sent in chunks."""

    body: bytes | AsyncIterator[bytes] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(value: Any, status: int = 200, **headers: str) -> Answer:
    """JSON in one piece."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(json.dumps(value).encode(), status, {"content-type": "application/json", **named})


def events(values: Iterable[Any], *, pause: float = 0.0, done: bool = True) -> Answer:
    """A stream of server-sent events, as OpenAI's protocol ends it."""

    async def pieces() -> AsyncIterator[bytes]:
        for value in values:
            yield b"data: " + json.dumps(value).encode() + b"\n\n"
            await asyncio.sleep(pause)
        if done:
            yield b"data: [DONE]\n\n"

    return Answer(pieces(), headers={"content-type": "text/event-stream; charset=utf-8"})


def json_lines(values: Iterable[Any], *, pause: float = 0.0) -> Answer:
    """A stream of NDJSON, as Ollama has it."""

    async def pieces() -> AsyncIterator[bytes]:
        for value in values:
            yield json.dumps(value).encode() + b"\n"
            await asyncio.sleep(pause)

    return Answer(pieces(), headers={"content-type": "application/x-ndjson"})


class Hangup(Exception):
    """The connection is to be reset now."""


@dataclass(frozen=True)
class Fault:
    """What stands in place of an answer: another one, or a change to how the right one is sent."""

    name: str
    instead: Callable[[Request], Awaitable[Answer]] | None = None
    """The answer in its place."""
    change: Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]] | None = None
    """The bytes of the right answer's body, changed; raises Hangup to reset the connection."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the changed answer, over its own."""


def status(code: int, error: Any, **headers: str) -> Fault:
    """An HTTP status with an error as JSON."""

    async def instead(request: Request) -> Answer:
        return json_answer(error, code, **headers)

    return Fault(f"status {code}", instead)


def silent(seconds: float) -> Fault:
    """No answer for so long, and then none."""

    async def instead(request: Request) -> Answer:
        await asyncio.sleep(seconds)
        raise Hangup

    return Fault("silent", instead)


async def _reset(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield await anext(pieces)
    raise Hangup


async def _ended(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield await anext(pieces)


async def _truncated(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The second piece lacks its end; the others come as ever."""
    yield await anext(pieces)
    yield (await anext(pieces)).rstrip()[:-4] + b"\n\n"
    async for piece in pieces:
        yield piece


async def _not_utf8(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield piece.replace(b'": "', b'": "\xff\xfe', 1)


def _slowly(seconds: float) -> Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]:
    async def change(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            for byte in piece:
                yield bytes([byte])
                await asyncio.sleep(seconds)

    return change


def _endless(size: int) -> Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]:
    async def change(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        yield b'data: {"id": "'
        for _ in range(size // 65536):
            yield b"a" * 65536
        yield b'"}\n\n'

    return change


async def _html(request: Request) -> Answer:
    return Answer(b"<html><body>Welcome to nginx!</body></html>", headers={"content-type": "text/html"})


RESET = Fault("reset in mid-stream", change=_reset)
ENDED = Fault("ended in mid-stream", change=_ended)
TRUNCATED = Fault("truncated JSON", change=_truncated)
NOT_UTF8 = Fault("invalid UTF-8", change=_not_utf8)
WRONG_TYPE = Fault("wrong content type", _html)
HUGE = Fault("a body of 100 MB", change=_endless(100 * 2**20))


def loris(seconds: float = 0.05) -> Fault:
    """A byte now and then."""
    return Fault("slow loris", change=_slowly(seconds))


def line_in_stream(line: bytes) -> Fault:
    """A line, after the first piece, under HTTP 200; then the stream ends as if nothing were amiss."""

    async def change(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        yield await anext(pieces)
        yield line

    return Fault("an error line under HTTP 200", change=change)


class HttpServer:
    """Listens on a free port of this machine while it is open: `with HttpServer(answer) as server`."""

    def __init__(self, answer: Callable[[Request], Awaitable[Answer]]) -> None:
        self._answer = answer
        self.requests: list[Request] = []
        self.connections = 0
        """Open now."""
        self._faults: deque[tuple[Fault, str]] = deque()
        self._spared = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._port = 0
        self._coming_back: asyncio.Future[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> "HttpServer":
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop())
        self._call(_end_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def fail(self, *faults: Fault, times: int = 1, on: str = "", after: int = 0) -> None:
        """Put faults before the next answers, each so many times; `on` is a part of the paths that they are for. So
        many answers before them are spared."""
        self._spared = after
        for fault in faults:
            self._faults.extend([(fault, on)] * times)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody listens, and who was connected is not any more."""
        self._call(self._stop())
        try:
            yield
        finally:
            self._call(self._listen())

    def refuse_for(self, seconds: float) -> None:
        """Nobody listens from now on, for so long."""
        self._call(self._refuse(seconds))

    def mend(self) -> None:
        """Whatever was wrong with it is not any more."""
        self._faults.clear()
        if self._server is None or not self._server.is_serving():
            self._call(self._listen())

    def refusal(self, seconds: float | None) -> Fault:
        """The connection is lost, and nobody listens for so long; None: until it is mended."""

        async def instead(request: Request) -> Answer:
            await self._refuse(seconds)
            raise Hangup

        return Fault("refused", instead)

    def asked(self, path: str) -> list[Request]:
        """The requests whose path has this part."""
        return [request for request in self.requests if path in request.path]

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _refuse(self, seconds: float | None) -> None:
        await self._stop()
        if seconds is None:
            return

        async def later() -> None:
            await asyncio.sleep(seconds)
            await self._listen()

        self._coming_back = asyncio.ensure_future(later())

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                await self._respond(request, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        except Hangup:
            writer.transport.abort()
        finally:
            self.connections -= 1
            self._writers.discard(writer)
            writer.close()

    async def _respond(self, request: Request, writer: asyncio.StreamWriter) -> None:
        fault = self._fault_for(request)
        try:
            if fault is not None and fault.instead is not None:
                answer = await fault.instead(request)
            else:
                answer = await self._answer(request)
            if fault is not None and fault.change is not None:
                changed = fault.change(_pieces(answer.body))
                answer = Answer(changed, answer.status, {**answer.headers, **fault.headers})
            await _send(writer, answer, request)
        except Hangup:
            request.ended = "broken"
            raise
        except ConnectionError:
            request.ended = "left"
            raise
        request.ended = "broken" if fault else "answered"

    def _fault_for(self, request: Request) -> Fault | None:
        if not self._faults or self._faults[0][1] not in request.path:
            return None
        if self._spared > 0:
            self._spared -= 1
            return None
        return self._faults.popleft()[0]


async def _read(reader: asyncio.StreamReader) -> Request | None:
    """The next request; None where the client is gone."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        chunks = []
        while size := int((await reader.readline()).split(b";")[0], 16):
            chunks.append(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
        body = b"".join(chunks)
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)


async def _pieces(body: bytes | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if isinstance(body, bytes):
        yield body
        return
    async for piece in body:
        yield piece


async def _send(writer: asyncio.StreamWriter, answer: Answer, request: Request) -> None:
    """Raises ConnectionError where the client leaves before the end."""
    lines = [f"HTTP/1.1 {answer.status} Said", *(f"{name}: {value}" for name, value in answer.headers.items())]
    if isinstance(answer.body, bytes):
        lines.append(f"content-length: {len(answer.body)}")
        writer.write("\r\n".join([*lines, "", ""]).encode() + answer.body)
        await writer.drain()
        return
    writer.write("\r\n".join([*lines, "transfer-encoding: chunked", "", ""]).encode())
    await writer.drain()
    async with aclosing(answer.body) as pieces:
        async for piece in pieces:
            if writer.transport.is_closing():
                raise ConnectionResetError
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
            request.sent += len(piece)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _end_all() -> None:
    """End what still waits to answer."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
