"""Asking a server over HTTP: JSON goes there, JSON or a stream of it comes back.

A request is tried again after a fault that may pass, with growing pauses or the one that the server asks for. What
stays wrong is raised as one of the port's errors, in one line: GenerationFailed, RequestRefused or ModelUnavailable.
Cancelling closes the connection.
"""

import asyncio
import json
import logging
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import httpx
import tenacity

import agent0es
from agent0es.configuration.secrets import is_secret, url_without_secrets
from agent0es.domain.text import one_line
from agent0es.domain.tries import Try
from agent0es.errors import ConfigurationError
from agent0es.models.base import GenerationFailed, ModelUnavailable, RequestRefused
from agent0es.models.http.faults import Fault, ServerFault, advice, decide, fault_of
from agent0es.models.http.keys import Key, without
from agent0es.models.http.options import HttpOptions
from agent0es.models.http.pacing import server_of
from agent0es.models.http.reading import (
    LONGEST_ANSWER,
    LONGEST_ERROR,
    Events,
    JsonLines,
    TooLong,
    parse,
    pieces_of,
)

Form = Literal["json", "sse", "ndjson", "none"]
TYPES: Mapping[Form, tuple[str, ...]] = {
    "json": ("application/json",),
    "sse": ("text/event-stream",),
    "ndjson": ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/json"),
    "none": (),
}
"""Content types of each form; `none` is an answer without words."""
END = "[DONE]"
"""The data of a stream's last event."""
LOCAL = ("localhost", "127.0.0.1", "::1")
T = TypeVar("T")
Read = Callable[[AsyncIterator[Any]], Awaitable[T]]
"""Makes an answer of the values of a stream. Raises ServerFault where they say that something went wrong."""
Sleep = Callable[[float], Awaitable[None]]

for _chatty in ("httpx", "httpcore"):  # they log whole URLs and headers
    logging.getLogger(_chatty).setLevel(logging.WARNING)


class ServerRefused(ModelUnavailable):
    """A fault that the user has to put right, as the server told it."""

    def __init__(self, message: str, fault: Fault, tries: Sequence[Try] = ()) -> None:
        super().__init__(message, tries)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """What came of a request in the end."""

    value: T
    tries: tuple[Try, ...]
    """Those before it that failed."""


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
        remedies: Callable[[Fault], str | None] = lambda fault: None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """`headers` are those that show the key, `remedies` what users of this kind of server do about a fault. Raises
        ConfigurationError for a URL that is none, and for a key that is not there."""
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
        self._base, self._key, self._options, self._headers, self._sleep = parts, key, options, headers, sleep
        self._local, self._remedies = parts.hostname in LOCAL, remedies
        self._hidden = tuple(
            value
            for value in (parts.password, *(value for name, value in parse_qsl(parts.query) if is_secret(name)))
            if value
        )
        self._server = server_of(base_url, key.variable, options.requests_per_minute, options.tokens_per_minute)
        self._session: httpx.AsyncClient | None = None
        self._slots = asyncio.Semaphore(options.at_once)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def get(self, path: str) -> Any:
        """A value of JSON."""
        return (await self.ask("GET", path, None, _only, form="json")).value

    async def post(self, path: str, body: Any) -> Any:
        """A value of JSON in answer to one."""
        return (await self.ask("POST", path, body, _only, form="json")).value

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
    ) -> Reply[T]:
        """What `read` makes of the answer, whose values come in this form; tried again from the start where it fails.
        A `body` is a value of JSON, or the path of a file.

        `tokens` is how many it will take at most, for the limit on them; `used` says how many it took in the end.
        Raises GenerationFailed where all tries failed, RequestRefused where the server can't answer this request, and
        ModelUnavailable where it answers none.
        """
        tries: list[Try] = []

        def note(state: tenacity.RetryCallState) -> None:
            waited = state.next_action.sleep if state.next_action else 0.0
            tries.append(self._tried(f"{method} {path}", _fault_of(state), waited))

        again = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(self._options.tries),
            wait=_pause,
            retry=tenacity.retry_if_exception(_may_pass),
            before_sleep=note,
            sleep=self._sleep,
            reraise=True,
        )
        async with self._place():
            try:
                async for attempt in again:
                    with attempt:
                        if wait := self._server.turn(tokens):
                            await self._sleep(wait)
                        value = await self._once(method, path, body, read, form)
            except ServerFault as failed:
                raise self._gave_up(f"{method} {path}", failed.fault, tries) from None
        self._server.breaker.answered()
        if used is not None and self._server.tokens:
            self._server.tokens.give_back(tokens - used(value))
        return Reply(value, tuple(tries))

    async def stream(self, path: str, body: Any, form: Form) -> AsyncIterator[Any]:
        """The values of an answer as they come, asked for once: what has been read can't be taken back."""
        async with self._place():
            try:
                async with self._answer("POST", path, body, form) as values:
                    async for value in values:
                        yield value
            except ServerFault as failed:
                raise self._gave_up(f"POST {path}", failed.fault, []) from None
        self._server.breaker.answered()

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
        streamed = form != "json"
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
                _check_type(response, form)

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
        said = self._shown(str(error)) or type(error).__name__
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

    def _gave_up(
        self, what: str, fault: Fault, tries: list[Try]
    ) -> GenerationFailed | RequestRefused | ModelUnavailable:
        """The error for a fault that is not tried again. It stands among the tries, as the last one."""
        verdict, breaker = decide(fault), self._server.breaker
        tries.append(self._tried(what, fault, 0.0))
        status = f"HTTP {fault.status}: " if fault.status else ""
        line = f"{self.where}: {status}{self._shown(fault.words)}"
        own = self._remedies(fault)
        remedy = own or advice(fault, self._key.variable)
        if verdict == "refuse":
            breaker.answered()
            return RequestRefused(f"{line}; {own}" if own else line)
        if verdict == "stop":
            return ServerRefused(f"{line}; {remedy}", fault, tries)
        if verdict == "break":
            breaker.open(f"{line}; {remedy}")
            return ServerRefused(f"{line}; {remedy}", fault, tries)
        if breaker.gave_up(f"{line}; it failed again and again, so nothing is sent to it for a while; {remedy}"):
            return ServerRefused(breaker.why() or line, fault, tries)
        times = "once" if len(tries) == 1 else f"{len(tries)} times"
        return GenerationFailed(f"{line} (tried {times}){f'; {own}' if own else ''}", tries)

    def _tried(self, what: str, fault: Fault, waited: float) -> Try:
        return Try(what, round(time.time(), 3), fault.status, self._shown(fault.words), round(waited, 3))

    def _shown(self, text: str) -> str:
        """What a server or a library said, in one line without secrets."""
        try:
            key = self._key.read()
        except ConfigurationError:  # it was there when the request began, and is gone
            key = None
        return one_line(without(text, [*self._hidden, *([key] if key else [])]))

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
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=options.at_once),
                # One's own machine is not behind a proxy, whatever the environment says.
                trust_env=not self._local,
                headers={"user-agent": f"agent0es/{agent0es.__version__}", "accept-encoding": "identity"},
                verify=ssl.create_default_context() if self._base.scheme == "https" else False,
            )
        return self._session

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """One of the places of those that are with the server at the same time. Raises ModelUnavailable."""
        if self._loop is not asyncio.get_running_loop():
            self._slots = asyncio.Semaphore(self._options.at_once)
            self._open()
        async with self._slots:
            if why := self._server.breaker.why():
                raise ModelUnavailable(why)
            yield


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
            if form in ("json", "none"):
                whole.append(chunk)
                continue
            for text in reader.feed(chunk):
                if text == END:
                    return
                yield parse(text)
        if form == "none":
            return
        if form == "json":
            yield parse(b"".join(whole))
            return
        for text in reader.end():
            if text == END:
                return
            yield parse(text)
    except TooLong as error:
        raise ServerFault(Fault("too long", str(error))) from None
    except ValueError as error:
        raise ServerFault(Fault("unreadable", f"no JSON in UTF-8 ({one_line(str(error), 80)})")) from None
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


def _check_type(response: httpx.Response, form: Form) -> None:
    if form == "none":
        return
    said = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said not in TYPES[form]:
        words = f"{one_line(said, 60) or 'no content type'} came where {TYPES[form][0]} was asked for"
        raise ServerFault(Fault("unreadable", f"{words}; is that the right address?", response.status_code))
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
        raise ServerFault(Fault("unreadable", "a compressed answer, which was not asked for", response.status_code))


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, ServerFault) and decide(error.fault) == "retry"


def _fault_of(state: tenacity.RetryCallState) -> Fault:
    """The fault of the try that has just failed."""
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, ServerFault), "nothing else is tried again"
    return error.fault


_GROWING = tenacity.wait_exponential_jitter(initial=0.5, max=30, jitter=0.5)


def _pause(state: tenacity.RetryCallState) -> float:
    """Seconds before the next try: the pause that the server asks for, or one that doubles each time."""
    asked, own = _fault_of(state).retry_after, _GROWING(state)
    return own if asked is None else max(asked, own)
