"""Appends, many in one transaction.

Group commit: whoever writes takes all waiting appends and commits them together, a synchronous caller for itself and
for all before it, one thread for those that await. While one transaction waits for the disk the next one gathers, so
that the batch grows with the load and nobody waits for a timer.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from eventsourcing import persistence as es
from sqlalchemy import Connection

from agent0es.crash_points import reach
from agent0es.errors import ConcurrencyError, LogError, RunInUse, StoreError
from agent0es.log.append import Append
from agent0es.log.datastore import Datastore, library_errors
from agent0es.log.insertion import Insertion
from agent0es.log.lease import Leases
from agent0es.log.recorders import LogApplicationRecorder
from agent0es.log.records import Recorded
from agent0es.log.texts import TextCache

BATCH_EVENTS = 1000
"""A transaction takes no further append when it has this many events."""


class Writer:
    """The one way into the log."""

    def __init__(self, recorder: LogApplicationRecorder, leases: Leases, known_texts: TextCache) -> None:
        self._datastore: Datastore = recorder.datastore
        self._insertion = Insertion(recorder, leases, known_texts)
        self._queue: deque[Append] = deque()
        self._queue_lock = threading.Lock()
        self._turn = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False

    def append(self, append: Append) -> list[Recorded]:
        """Append now, together with everything that waits, or as part of another caller's commit."""
        append.woken = threading.Event()
        self._enqueue(append)
        while append.outcome is None:
            # Not waiting for the turn itself: all whose events were just committed would stand in line for it once
            # more, and those who come meanwhile would find nobody to share a transaction with.
            if not self._turn.acquire(blocking=False):
                try:
                    append.woken.wait()
                except BaseException:  # Ctrl-C: it may have been his turn, and others wait behind him
                    self._withdraw(append)
                    raise
                append.woken.clear()
                continue
            try:
                while append.outcome is None:
                    self._commit_next()
            finally:
                self._turn.release()
                self._wake_next()
        if isinstance(append.outcome, Exception):
            raise append.outcome
        return append.outcome

    async def append_async(self, append: Append) -> list[Recorded]:
        """Append without keeping the event loop waiting. When cancelled, the append may still happen."""
        append.waiting = asyncio.get_running_loop().create_future()
        self._enqueue(append)
        if self._thread is None:
            self._start_thread()
        self._wake.set()
        return await append.waiting

    def close(self) -> None:
        """Commit what waits, then refuse everything."""
        with self._queue_lock:
            self._closed = True
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        with self._turn:
            while self._queue:
                self._commit_next()

    def _withdraw(self, append: Append) -> None:
        with self._queue_lock, suppress(ValueError):
            self._queue.remove(append)
        self._wake_next()

    def _wake_next(self) -> None:
        """After a turn: whoever found it taken since then must not wait for ever."""
        with self._queue_lock:
            first = self._queue[0] if self._queue else None
        if first is not None and first.woken is not None:
            first.woken.set()  # for one that awaits, the thread is awake already

    def _enqueue(self, append: Append) -> None:
        with self._queue_lock:
            if self._closed:
                raise StoreError(f"{self._datastore.dialect.name}: the log is closed; open it again")
            self._queue.append(append)

    def _start_thread(self) -> None:
        with self._queue_lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="log writer", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while not (self._closed and not self._queue):
            self._wake.wait()
            self._wake.clear()
            while self._queue:
                with self._turn:
                    self._commit_next()

    def _commit_next(self) -> None:
        """Commit one batch of what waits and tell everybody in it. Needs the turn."""
        batch: list[Append] = []
        size = 0
        with self._queue_lock:
            while self._queue and size < BATCH_EVENTS:
                append = self._queue.popleft()
                if append.waiting is not None and append.waiting.cancelled():
                    continue
                batch.append(append)
                size += len(append.events)
        if not batch:
            return
        try:
            outcomes = self._commit(batch)
        except BaseException:  # Ctrl-C in a synchronous caller: the others must not wait for ever
            self._insertion.forget()
            name = self._datastore.dialect.name
            _tell(
                batch,
                [StoreError(f"{name}: an append was interrupted; look in the log whether it was written")] * len(batch),
            )
            raise
        _tell(batch, outcomes)
        self._datastore.appended.notify()

    def _commit(self, batch: Sequence[Append]) -> Sequence[list[Recorded] | Exception]:
        """All in one transaction; when one of them can't be, each by itself, still in one transaction.

        No error is swallowed: it becomes the outcome of those who wait, and they raise it.
        """
        reach("append.before")
        try:
            with self._datastore.write() as connection:
                outcomes: Sequence[list[Recorded] | Exception] = self._insertion.insert(connection, batch)
                reach("append.transaction")
        except Exception as error:  # noqa: BLE001 — see above
            self._insertion.forget()
            if len(batch) == 1 or _concerns_all(error):
                return [self._refusal(append, error) for append in batch]
            try:
                with self._datastore.write() as connection:
                    outcomes = [self._insert_guarded(connection, append) for append in batch]
            except Exception as error:  # noqa: BLE001 — see above
                self._insertion.forget()
                return [self._refusal(append, error) for append in batch]
        reach("append.committed")
        self._insertion.remember(batch, outcomes)
        return outcomes

    def _insert_guarded(self, connection: Connection, append: Append) -> list[Recorded] | Exception:
        """One append that can be undone without undoing those before it."""
        try:
            with library_errors(), connection.begin_nested():
                return self._insertion.insert(connection, [append])[0]
        except Exception as error:
            self._insertion.forget()
            if _concerns_all(error):
                raise
            return self._refusal(append, error)

    def _refusal(self, append: Append, error: Exception) -> Exception:
        """The error to raise for the caller that appended."""
        if isinstance(error, es.PersistenceError) and not isinstance(error, es.IntegrityError):
            return self._datastore.store_error(error)
        if not isinstance(error, es.IntegrityError):
            return error
        cause = f" in reaction to event {append.cause.position}" if append.cause else ""
        what = f"{append.handler}{cause}"
        detail = str(error)
        if "FOREIGN KEY" in detail.upper():
            return LogError(f"{what}: the cause is not in this log; nothing was appended")
        if "handled" in detail:
            return ConcurrencyError(f"{what}: was handled before; nothing was appended")
        streams = ", ".join(sorted({new.stream for new in append.events}))
        if "event_id" in detail:
            return ConcurrencyError(f"{what}: the same was appended to {streams} before; nothing was appended")
        return ConcurrencyError(f"{what}: somebody else appended to {streams} first; read it again and retry")


def _concerns_all(error: Exception) -> bool:
    """Whether the store failed, so that nothing can be written now, and not only what one append asked for."""
    if isinstance(error, StoreError):
        return not isinstance(error, RunInUse)
    return isinstance(error, es.PersistenceError) and not isinstance(error, es.IntegrityError | es.DataError)


def _tell(batch: Sequence[Append], outcomes: Sequence[list[Recorded] | Exception]) -> None:
    """Give every append its outcome; one call into each event loop, however many wait there."""
    loops: dict[asyncio.AbstractEventLoop, list[Append]] = {}
    for append, outcome in zip(batch, outcomes, strict=True):
        append.outcome = outcome
        if append.woken is not None:
            append.woken.set()
        if append.waiting is not None:
            loops.setdefault(append.waiting.get_loop(), []).append(append)
    for loop, appends in loops.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, appends)


def _settle(appends: Sequence[Append]) -> None:
    for append in appends:
        assert append.waiting is not None
        if append.waiting.done():  # cancelled
            continue
        if isinstance(append.outcome, Exception):
            append.waiting.set_exception(append.outcome)
        elif append.outcome is not None:
            append.waiting.set_result(append.outcome)
