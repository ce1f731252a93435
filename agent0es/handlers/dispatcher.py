"""Runs the handlers: follows the log, hands each event to those who react to it, appends what they return.

The dispatcher is the only writer of its run. It folds the state in log order, so that a handler sees the state
exactly as of its cause, and remembers in the log which causes were handled, so that a resumed run continues where the
killed one stopped. Memory is bounded because the schedule keeps a bounded number of tasks in flight and every
other event is a consequence of those.
"""

import asyncio
import heapq
import traceback
from collections.abc import Sequence
from uuid import UUID

from agent0es.configuration import ExecutionSettings
from agent0es.configuration.secrets import text_without_secrets
from agent0es.crash_points import reach
from agent0es.domain.events import HandlerFailed, Retried
from agent0es.domain.names import stream
from agent0es.domain.run import RunState, evolve
from agent0es.domain.text import storable
from agent0es.errors import Agent0Error, LogError, TransientError, UserError
from agent0es.handlers.base import Handler, Observer
from agent0es.log import EventLog, History, NewEvent, Recorded
from agent0es.models.base import ModelUnavailable
from agent0es.rollouts.retry import Retries, Sleep, described, root_of

Work = tuple[int, int, Handler, Recorded, RunState]


class HandlerError(Agent0Error):
    """A handler raised; the run stopped. The HandlerFailed event holds the traceback."""


class Dispatcher:
    """Drives one run until it is completed."""

    def __init__(
        self,
        log: EventLog,
        run: str,
        handlers: Sequence[Handler],
        settings: ExecutionSettings,
        observers: Sequence[Observer] = (),
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._log = log
        self._run = run
        self._handlers = handlers
        self._settings = settings
        self._observers = observers
        self._retries = Retries(settings.retries, sleep)
        self._state = RunState()
        self._position = 0
        self._waiting: list[Work] = []
        self._begun: dict[tuple[str, UUID | None], bool] = {}
        """Handler and cause that are not marked as handled, to whether the log has events that came of them."""
        self._busy: dict[str, int] = {handler.name: 0 for handler in handlers}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._failure: BaseException | None = None

    @property
    def state(self) -> RunState:
        """The fold of everything that was appended so far."""
        return self._state

    async def run(self) -> RunState:
        """Handle every open cause until the run is completed. Raises HandlerError when a handler fails for good."""
        history = History.of(self._log, self._run)
        handled = history.handled()
        for recorded in history.read():
            self._take(recorded, handled)
        try:
            while True:
                self._start_what_can_start()
                if self._failure:
                    raise self._failure
                if not self._tasks:
                    break
                self._wake.clear()
                await self._wake.wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._state.status != "completed":
            raise LogError(f"run {self._run} stopped before completion; this is a bug, please attach the log")
        return self._state

    def _take(self, recorded: Recorded, handled: set[tuple[str, int]] | frozenset[tuple[str, int]]) -> None:
        """Fold one event and queue the reactions to it."""
        if recorded.position <= self._position:
            raise LogError(f"event {recorded.position} of run {self._run} came after event {self._position}")
        self._position = recorded.position
        self._state = evolve(self._state, recorded.event)
        reaction = (recorded.meta.handler, recorded.meta.cause)
        if reaction in self._begun:
            self._begun[reaction] = True
        for observe in self._observers:
            observe(recorded, self._state)
        for order, handler in enumerate(self._handlers):
            if type(recorded.event) in handler.causes and (handler.name, recorded.position) not in handled:
                self._begun[handler.name, recorded.meta.event_id] = False
                heapq.heappush(self._waiting, (recorded.position, order, handler, recorded, self._state))

    def _start_what_can_start(self) -> None:
        """Start waiting causes in log order, as far as each handler's concurrency allows."""
        limit_all = 1 if self._settings.deterministic else None
        later: list[Work] = []
        while self._waiting and (limit_all is None or len(self._tasks) < limit_all):
            work = heapq.heappop(self._waiting)
            handler = work[2]
            if self._busy[handler.name] >= handler.concurrency:
                later.append(work)
                continue
            self._busy[handler.name] += 1
            task = asyncio.create_task(self._handle(handler, work[3], work[4]))
            self._tasks.add(task)
            task.add_done_callback(self._done)
        for work in later:
            heapq.heappush(self._waiting, work)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and self._failure is None:
            self._failure = error
        self._wake.set()

    async def _handle(self, handler: Handler, cause: Recorded, state: RunState) -> None:
        """One reaction, with its retries. Returns when the cause is handled."""
        finished = False
        reaction = (handler.name, cause.meta.event_id)

        async def record(events: Sequence[NewEvent], *, last: bool = False) -> list[Recorded]:
            nonlocal finished
            appended = await self._log.append_async(
                events, handler=handler.name, cause=cause, handled=last, run=self._run
            )
            finished = finished or last
            for recorded in appended:
                self._take(recorded, frozenset())
            self._wake.set()
            return appended

        async def failed(retry: int, error: TransientError) -> None:
            event = cause.event
            name = getattr(event, "attempt", None) or getattr(event, "adapter", None)
            retried = Retried(
                handler=handler.name, task=getattr(event, "task", None), name=name, retry=retry, error=described(error)
            )
            await record([NewEvent(stream("run", self._run), retried, error.measured)])

        try:
            events = await self._retries(lambda: handler.handle(cause, state, record), failed)
            begun = self._begun[reaction]
            if not finished and (events or begun):  # there is nothing to remember: it is decided again
                if begun:
                    reach("handler.unmarked")
                await record(events, last=True)
        except Exception as raised:  # noqa: BLE001 — written into the log and raised again as HandlerError
            error = root_of(raised)
            if isinstance(error, UserError) and not isinstance(error, ModelUnavailable):
                raise error from None
            await self._fail(handler, cause, state, raised)
        finally:
            del self._begun[reaction]
            self._busy[handler.name] -= 1

    async def _fail(self, handler: Handler, cause: Recorded, state: RunState, raised: Exception) -> None:
        """Write the failure into the log; drop the task and continue, or stop the run, as configured.

        A model's server that answers nobody stops it in any case: the next task would fare no better.
        """
        error = root_of(raised)
        number = getattr(cause.event, "task", None)
        unavailable = isinstance(error, ModelUnavailable)
        give_up = self._settings.on_error == "continue" and number in state.in_flight and not unavailable
        failed = HandlerFailed(
            handler=handler.name,
            cause=cause.position,
            task=number if give_up else None,
            error=storable(described(error)),
            traceback=storable(text_without_secrets("".join(traceback.format_exception(raised)))),
        )
        name = handler.name if give_up else f"{handler.name}.{self._state.failures}"
        measured = error.measured if isinstance(error, Agent0Error) else {}
        appended = await self._log.append_async(
            [NewEvent(stream("run", self._run), failed, measured)],
            handler=name,
            cause=cause,
            handled=give_up,
            run=self._run,
        )
        for recorded in appended:
            self._take(recorded, frozenset())
        self._wake.set()
        if unavailable:
            raise error from None
        if not give_up:
            raise HandlerError(
                f"{handler.name} failed on event {cause.position}: {failed.error}; the traceback is in the log",
                see=("events", self._run, "--type", "HandlerFailed"),
            ) from error
