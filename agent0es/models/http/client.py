"""Asking a server over HTTP: JSON goes there, JSON or a stream of it comes back.

What goes wrong becomes a fault, and `asking.py` does what follows from it. Cancelling closes the connection.
"""

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import httpx

import agent0es
from agent0es.configuration.secrets import is_secret, url_without_secrets
from agent0es.errors import ConfigurationError
from agent0es.models.http.asking import Asking, Remedies, Reply, Sleep
from agent0es.models.http.faults import Fault, ServerFault, fault_of, no_json, reason_of, why_not_read
from agent0es.models.http.keys import Key
from agent0es.models.http.options import HttpOptions
from agent0es.models.http.reading import (
    END,
    LONGEST_ANSWER,
    LONGEST_ERROR,
    Events,
    JsonLines,
    TooLong,
    parse,
    pieces_of,
)

Form = Literal["json", "text", "sse", "ndjson"]
TYPES: Mapping[Form, tuple[str, ...]] = {
    "json": ("application/json",),
    "text": ("text/plain", "application/json", ""),
    "sse": ("text/event-stream",),
    "ndjson": ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/json"),
}
"""Content types of each form."""
IDLE_SECONDS = 2.0
"""After which a connection is not used again: before servers close it, many after 5 s."""
LOCAL = ("localhost", "127.0.0.1", "::1")
T = TypeVar("T")
Read = Callable[[AsyncIterator[Any]], Awaitable[T]]
"""Makes an answer of the values of a stream. Raises ServerFault where they say that something went wrong."""

for _chatty in ("httpx", "httpcore"):  # they log whole URLs and headers
    logging.getLogger(_chatty).setLevel(logging.WARNING)


class HttpClient:
    """One server, asked by one backend. It may be used in one event loop after another."""

    def __init__(
        self,
        backend: str,
        base_url: str,
        key: Key,
        options: HttpOptions,
        *,
        headers: Callable[[str], Mapping[str, str]] = lambda key: {"authorization": f"Bearer {key}"},
        remedies: Remedies = lambda fault: None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """`headers` are those that show the key. Raises ConfigurationError for a URL that is none, and for a key that
        is not there."""
        try:
            parts = urlsplit(base_url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            shown = url_without_secrets(base_url)[:200]
            raise ConfigurationError(
                f"{backend}: models.<role>.base_url is {shown!r}, not an address such as http://127.0.0.1:8000"
            )
        key.read()
        self.where = f"{backend} at {parts.scheme}://{parts.hostname}{f':{port}' if port else ''}"
        """Backend and server, for messages."""
        self._base, self._key, self._options, self._headers = parts, key, options, headers
        self._local = parts.hostname in LOCAL
        hidden = [value for name, value in parse_qsl(parts.query) if is_secret(name)]
        if parts.password:
            hidden.append(parts.password)
        self._asking = Asking(self.where, base_url, key, options, hidden=hidden, remedies=remedies, sleep=sleep)
        self._session: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def get(self, path: str, *, tries: int | None = None) -> Any:
        """A value of JSON. `tries` in place of the option."""
        return (await self.ask("GET", path, None, _only, form="json", tries=tries)).value

    async def post(self, path: str, body: Any, *, form: Form = "json", tries: int | None = None) -> Any:
        """A value of JSON in answer to one, or a text (`form`). `tries` in place of the option."""
        return (await self.ask("POST", path, body, _only, form=form, tries=tries)).value

    async def ask(
        self,
        method: str,
        path: str,
        body: Any,
        read: Read[T],
        *,
        form: Form,
        tokens: float = 0,
        used: Callable[[T], float] | None = None,
        tries: int | None = None,
    ) -> Reply[T]:
        """What `read` makes of the answer, whose values come in this form; tried again from the start where it fails.
        A `body` is a value of JSON, or the path of a file.

        `tokens` is how many it will take at most, for the limit on them; `used` says how many it took in the end;
        `tries` stands in place of the option.
        Raises GenerationFailed where all tries failed, RequestRefused where the server can't answer this request, and
        ModelUnavailable where it answers none.
        """
        return await self._asking.ask(
            f"{method} {path}",
            lambda: self._once(method, path, body, read, form),
            tokens=tokens,
            used=used,
            tries=tries,
        )

    async def stream(
        self,
        path: str,
        body: Any,
        take: Callable[[Any], T],
        *,
        form: Form,
        tokens: float = 0,
        used: Callable[[], float] | None = None,
    ) -> AsyncGenerator[T]:
        """What `take` makes of each value of an answer as it comes. Asked for once: what was read can't be taken back.

        `tokens` and `used` as `ask` has them. Raises as `ask` does; `take` may raise ServerFault.
        """
        asked_once = self._asking.at_once(f"POST {path}", tokens=tokens, used=used)
        async with asked_once, self._answer("POST", path, body, form) as values:
            async for value in values:
                yield take(value)

    async def close(self) -> None:
        """Close the connections that wait for a next request."""
        session, self._session = self._session, None
        if session is not None and self._loop is asyncio.get_running_loop():
            await session.aclose()

    async def _once(self, method: str, path: str, body: Any, read: Read[T], form: Form) -> T:
        """One try. Raises ServerFault."""
        async with self._answer(method, path, body, form) as values:
            return await read(values)

    @asynccontextmanager
    async def _answer(self, method: str, path: str, body: Any, form: Form) -> AsyncIterator[AsyncIterator[Any]]:
        """The values of an answer, while the connection is open. Raises ServerFault."""
        loop, options = asyncio.get_running_loop(), self._options
        begin = loop.time()
        streamed = form in ("sse", "ndjson")
        kind = "application/octet-stream" if isinstance(body, Path) else "application/json"
        headers = {"content-type": kind} if body is not None else {}
        if (key := self._key.read()) is not None:
            headers.update(self._headers(key))
        content: bytes | AsyncIterator[bytes] | None = None
        if isinstance(body, Path):
            content = pieces_of(body)
        elif body is not None:
            content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        try:
            async with (
                asyncio.timeout(options.first_token_seconds if streamed else options.whole_seconds) as deadline,
                self._open().stream(method, self._url(path), content=content, headers=headers) as response,
            ):
                if not response.is_success:
                    raise ServerFault(fault_of(response.status_code, response.headers, await _beginning(response)))
                if why := why_not_read(response.headers, TYPES[form]):
                    raise ServerFault(Fault("unreadable", why, response.status_code))

                async def watched() -> AsyncIterator[Any]:
                    async for value in _values(response, form):
                        deadline.reschedule(begin + options.whole_seconds)
                        yield value

                yield watched()
        except TimeoutError:
            waited = loop.time() - begin
            raise ServerFault(Fault("slow", f"no answer within {waited:.3g} s" if streamed else "too slow")) from None
        except httpx.HTTPError as error:
            raise ServerFault(self._transport_fault(error)) from None

    def _transport_fault(self, error: httpx.HTTPError) -> Fault:
        """What a connection met."""
        said = self._asking.shown(reason_of(error))
        match error:
            case httpx.ConnectTimeout():
                return Fault("unreachable", f"no connection within {self._options.connect_seconds:g} s")
            case httpx.ConnectError() if "CERTIFICATE" in said.upper():
                return Fault("untrusted", f"its certificate is not trusted ({said})")
            case httpx.ConnectError() | httpx.ProxyError():
                return Fault("unreachable", f"no connection ({said})")
            case httpx.TimeoutException():
                return Fault("slow", f"nothing came for {self._options.first_token_seconds:g} s")
            case httpx.RemoteProtocolError() if "without" not in said and "closed" not in said:
                return Fault("unreadable", f"no HTTP ({said})")
            case _:
                return Fault("cut off", f"the connection ended within the answer ({said})")

    def _url(self, path: str) -> str:
        """Where a path of the server is. What the base URL asks for in its query, each request does."""
        return urlunsplit(self._base._replace(path=self._base.path.rstrip("/") + path, fragment=""))

    def _open(self) -> httpx.AsyncClient:
        """The session of the running loop."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            options = self._options
            self._loop = loop
            self._session = httpx.AsyncClient(
                timeout=httpx.Timeout(options.first_token_seconds, connect=options.connect_seconds, pool=None),
                # A server may close an idle connection just when the next request is on its way, and llama-server does;
                # on one's own machine a new one costs nothing.
                limits=httpx.Limits(
                    max_connections=None,
                    max_keepalive_connections=0 if self._local else options.at_once,
                    keepalive_expiry=IDLE_SECONDS,
                ),
                # One's own machine is not behind a proxy, whatever the environment says.
                trust_env=not self._local,
                headers={"user-agent": f"agent0es/{agent0es.__version__}", "accept-encoding": "identity"},
                verify=ssl.create_default_context() if self._base.scheme == "https" else False,
            )
        return self._session


async def _only(values: AsyncIterator[Any]) -> Any:
    """The one value of an answer."""
    async for value in values:
        return value
    raise ServerFault(Fault("unreadable", "an empty answer"))


async def _values(response: httpx.Response, form: Form) -> AsyncIterator[Any]:
    """The values of an answer as they come. Raises ServerFault for what is too long, or is not JSON."""
    read = 0
    whole: list[bytes] = []
    reader = Events() if form == "sse" else JsonLines()
    try:
        async for chunk in response.aiter_raw():
            read += len(chunk)
            if read > LONGEST_ANSWER:
                raise TooLong(f"an answer of more than {LONGEST_ANSWER} bytes")
            if form in ("json", "text"):
                whole.append(chunk)
                continue
            for text in reader.feed(chunk):
                if text == END:
                    return
                yield parse(text)
        if form in ("json", "text"):
            yield parse(b"".join(whole)) if form == "json" else b"".join(whole).decode()
            return
        for text in reader.end():
            if text == END:
                return
            yield parse(text)
    except TooLong as error:
        raise ServerFault(Fault("too long", str(error))) from None
    except ValueError as error:
        raise ServerFault(Fault("unreadable", no_json(error))) from None
    if form == "sse":
        raise ServerFault(Fault("cut off", f"the answer ended without {END}"))


async def _beginning(response: httpx.Response) -> bytes:
    """The body of an error, as far as it is read."""
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > LONGEST_ERROR:
            break
    return body[:LONGEST_ERROR]
