"""Asking until there is an answer: tries and their pauses, limits a minute, the breaker, and errors in one line.

It is the same whatever sends the request: our own client, or a provider's library. A request is tried again after a
fault that may pass, with growing pauses or the one that the server asks for. What stays wrong is raised as one of the
port's errors: GenerationFailed, RequestRefused or ModelUnavailable.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import tenacity

from agent0es.configuration.secrets import text_without_secrets
from agent0es.domain.text import one_line
from agent0es.domain.tries import Try
from agent0es.errors import ConfigurationError
from agent0es.models.base import GenerationFailed, ModelUnavailable, RequestRefused
from agent0es.models.http.faults import Fault, ServerFault, advice, decide, is_loading, may_be_charged
from agent0es.models.http.keys import Key
from agent0es.models.http.options import HttpOptions
from agent0es.models.http.pacing import server_of
from agent0es.models.paid import try_failed

SLOW_TRIES = 3
"""Tries after which a request is given up that runs into a limit of time, which are minutes."""
T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]
Remedies = Callable[[Fault], str | None]
"""What users of one kind of server do about a fault; None where there is nothing to say that others don't."""


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


class Asking:
    """How one server is asked by one backend. It may be used in one event loop after another."""

    def __init__(
        self,
        where: str,
        server: str,
        key: Key,
        options: HttpOptions,
        *,
        hidden: Sequence[str] = (),
        remedies: Remedies = lambda fault: None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """`where` is backend and server, for messages; `server` what tells it from others; `hidden` are secrets beside
        the key that no message may show."""
        self.where = where
        self._key, self._options, self._hidden, self._sleep = key, options, tuple(hidden), sleep
        self._remedies = remedies
        self._server = server_of(server, key.variable, options.requests_per_minute, options.tokens_per_minute)
        self._slots = asyncio.Semaphore(options.at_once)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ask(
        self,
        what: str,
        once: Callable[[], Awaitable[T]],
        *,
        tokens: float = 0,
        used: Callable[[T], float] | None = None,
        tries: int | None = None,
    ) -> Reply[T]:
        """What `once` gives, which is called again from the start where it raises a ServerFault that may pass.

        `what` is what is asked for, in the log of tries; `tokens` is how many it will take at most, for the limit on
        them; `used` says how many it took in the end; `tries` stands in place of the option, for who only looks whether
        somebody is there, which opens no breaker; a server that loads its model is there. Raises GenerationFailed where
        all tries failed, RequestRefused where the server can't answer this request, and ModelUnavailable where it
        answers none.
        """
        failed_tries: list[Try] = []
        looks = tries is not None

        def given_up(state: tenacity.RetryCallState) -> bool:
            loading = is_loading(_fault_of(state))
            most = self._options.tries if tries is None or loading else tries
            return state.attempt_number >= most or _hung(state)

        async def note(state: tenacity.RetryCallState) -> None:
            waited, fault = state.next_action.sleep if state.next_action else 0.0, _fault_of(state)
            failed_tries.append(self._tried(what, fault, waited))
            if not looks:
                await try_failed.get()(may_be_charged(fault), True)

        again = tenacity.AsyncRetrying(
            stop=given_up,
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
                        await self._turn(tokens)
                        value = await once()
            except ServerFault as failed:
                if not looks:
                    await try_failed.get()(may_be_charged(failed.fault), False)
                raise self._gave_up(what, failed.fault, failed_tries, looks=looks) from None
        self._answered(0 if used is None else tokens - used(value))
        return Reply(value, tuple(failed_tries))

    @asynccontextmanager
    async def at_once(
        self, what: str, *, tokens: float = 0, used: Callable[[], float] | None = None
    ) -> AsyncIterator[None]:
        """Around something that is asked for once, such as a stream: what has been read can't be taken back.

        `tokens` and `used` as `ask` has them. Who leaves before the end has used them all.
        """
        async with self._place():
            await self._turn(tokens)
            try:
                yield
            except ServerFault as failed:
                raise self._gave_up(what, failed.fault, []) from None
        self._answered(0 if used is None else tokens - used())

    def shown(self, text: str) -> str:
        """What a server or a library said, in one line without secrets."""
        try:
            key = self._key.read()
        except ConfigurationError:  # it was there when the request began, and is gone
            key = None
        return one_line(text_without_secrets(text, [*self._hidden, *([key] if key else [])]))

    def _gave_up(
        self, what: str, fault: Fault, tries: list[Try], *, looks: bool = False
    ) -> GenerationFailed | RequestRefused | ModelUnavailable:
        """The error for a fault that is not tried again. It stands among the tries, as the last one."""
        verdict, breaker = decide(fault), self._server.breaker
        fault = replace(fault, words=self.shown(fault.words), code=self.shown(fault.code))
        tries.append(self._tried(what, fault, 0.0))
        status = f"HTTP {fault.status}: " if fault.status else ""
        line = f"{self.where}: {status}{fault.words}"
        own = self._remedies(fault)
        remedy = own or advice(fault, self._key.variable)
        if verdict == "refuse":
            breaker.answered()
            shorter = remedy if own or fault.kind == "cut" else ""
            return RequestRefused(f"{line}; {shorter}" if shorter else line, tries)
        if verdict == "stop":
            return ServerRefused(f"{line}; {remedy}", fault, tries)
        if verdict == "break":
            breaker.open(f"{line}; {remedy}")
            return ServerRefused(f"{line}; {remedy}", fault, tries)
        if not looks and breaker.gave_up(
            f"{line}; it failed again and again, so nothing is sent to it for a while; {remedy}"
        ):
            return ServerRefused(breaker.why() or line, fault, tries)
        times = f" (tried {len(tries)} times)" if len(tries) > 1 else ""
        told = remedy if looks else own or ""  # whoever looks does not wait for what may pass
        return GenerationFailed(f"{line}{times}{f'; {told}' if told else ''}", tries)

    async def _turn(self, tokens: float) -> None:
        """Wait for the place of a request of so many tokens in the limits a minute."""
        if wait := self._server.turn(tokens):
            await self._sleep(wait)

    def _answered(self, unused: float) -> None:
        """There was an answer, which did not take so many of the tokens that it might have."""
        self._server.breaker.answered()
        if self._server.tokens:
            self._server.tokens.give_back(unused)

    def _tried(self, what: str, fault: Fault, waited: float) -> Try:
        return Try(what, round(time.time(), 3), fault.status, self.shown(fault.words), round(waited, 3))

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """One of the places of those that are with the server at the same time. Raises ModelUnavailable."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._slots = loop, asyncio.Semaphore(self._options.at_once)
        async with self._slots:
            if why := self._server.breaker.why():
                raise ModelUnavailable(why)
            yield


def _hung(state: tenacity.RetryCallState) -> bool:
    """Whether it has been waited for long enough."""
    return state.attempt_number >= SLOW_TRIES and _fault_of(state).kind == "slow"


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, ServerFault) and decide(error.fault) == "retry"


def _fault_of(state: tenacity.RetryCallState) -> Fault:
    """The fault of the try that has just failed."""
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, ServerFault), "nothing else is tried again"
    return error.fault


_GROWING = tenacity.wait_exponential(multiplier=0.5, max=30) + tenacity.wait_random(0, 0.5)


def _pause(state: tenacity.RetryCallState) -> float:
    """Seconds before the next try: the pause that the server asks for, or one that doubles each time."""
    asked, own = _fault_of(state).retry_after, _GROWING(state)
    return own if asked is None else max(asked, own)
