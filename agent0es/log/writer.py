"""Appends, many in one transaction.

Group commit: whoever writes takes all waiting appends and commits them together, a synchronous caller for itself and
for all before it, one thread for those that await. While one transaction waits for the disk the next one gathers, so
that the batch grows with the load and nobody waits for a timer.
"""

import asyncio
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing import persistence as es
from sqlalchemy import Connection, bindparam, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from agent0es.crash_points import reach
from agent0es.domain.names import NAME_RULE, is_name
from agent0es.errors import ConcurrencyError, LogError, RunInUse, StoreError
from agent0es.log.datastore import Datastore, library_errors
from agent0es.log.lease import Leases
from agent0es.log.mapper import Content, decode_meta, encode_state, split_state
from agent0es.log.recorders import LogApplicationRecorder, NewRow
from agent0es.log.records import Mark, Meta, NewEvent, Recorded
from agent0es.log.schema import events, handled, texts
from agent0es.log.texts import TextCache

NAMESPACE = uuid5(NAMESPACE_URL, "https://agent0es/events")
"""Ids of events without a cause derive from this and the run."""

BATCH_EVENTS = 1000
"""A transaction takes no further append when it has this many events."""

REMEMBERED_STREAMS = 100_000
"""More streams than this are forgotten and looked up again when they are needed."""


@dataclass(slots=True, eq=False)
class Append:
    """Events that go into the log together or not at all, and who waits for them."""

    events: Sequence[NewEvent]
    contents: Sequence[Content]
    handler: str
    cause: Recorded | None
    handled_by: str | None
    """Run on whose behalf the cause is handled with this append; None when it isn't."""
    waiting: "asyncio.Future[list[Recorded]] | None" = None
    outcome: list[Recorded] | Exception | None = None
    woken: threading.Event | None = None
    """Of a synchronous caller: there is an outcome, or it is his turn to commit."""

    @property
    def runs(self) -> set[str]:
        found = {run_of(new.stream) for new in self.events}
        return found | {self.handled_by} if self.handled_by else found


@dataclass(slots=True)
class Memory:
    """What the writer remembers of the log so as not to ask it again. Emptied whenever anything goes wrong."""

    versions: dict[str, int] = field(default_factory=dict)
    """Stream to its last version."""
    counts: dict[tuple[UUID, str], dict[str, Counter[str]]] = field(default_factory=dict)
    """(Base of the event ids, handler) to stream to how many events of each type."""
    unsaid: dict[str, list[Mark]] = field(default_factory=dict)
    """Run to its marks that were made without events since its last one, for the next one to say."""
    complete_after: int | None = None
    """Reactions to causes after this position are all in `counts`; those to earlier ones may be in the log only."""


@lru_cache(10_000)
def run_of(stream: str) -> str:
    """The run that a stream belongs to. Raises LogError when its name has no second segment that may name a run."""
    segments = stream.split("/", 2)
    if len(segments) < 2 or not all(segments):
        raise LogError(f"{stream[:200]!r} is not a stream name; it should look like task/<run>/12")
    if not is_name(segments[1]):
        raise LogError(f"{segments[1][:200]!r} can't be the name of a run; {NAME_RULE}")
    return segments[1]


class Writer:
    """The one way into the log."""

    def __init__(self, recorder: LogApplicationRecorder, leases: Leases, known_texts: TextCache) -> None:
        self._recorder = recorder
        self._datastore: Datastore = recorder.datastore
        self._leases = leases
        self._known_texts = known_texts
        self._memory = Memory()
        self._host = socket.gethostname()
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
            self._memory = Memory()
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
                outcomes: Sequence[list[Recorded] | Exception] = self._insert(connection, batch)
                reach("append.transaction")
        except Exception as error:  # noqa: BLE001 — see above
            self._memory = Memory()
            if len(batch) == 1 or _concerns_all(error):
                return [self._refusal(append, error) for append in batch]
            try:
                with self._datastore.write() as connection:
                    outcomes = [self._insert_guarded(connection, append) for append in batch]
            except Exception as error:  # noqa: BLE001 — see above
                self._memory = Memory()
                return [self._refusal(append, error) for append in batch]
        reach("append.committed")
        self._remember(batch, outcomes)
        return outcomes

    def _insert_guarded(self, connection: Connection, append: Append) -> list[Recorded] | Exception:
        """One append that can be undone without undoing those before it."""
        try:
            with library_errors(), connection.begin_nested():
                return self._insert(connection, [append])[0]
        except Exception as error:
            self._memory = Memory()
            if _concerns_all(error):
                raise
            return self._refusal(append, error)

    def _insert(self, connection: Connection, batch: Sequence[Append]) -> list[list[Recorded]]:
        """Rows of all the appends. Raises when any of them can't be."""
        for run in {run for append in batch for run in append.runs}:
            self._leases.check(connection, run)
            if run not in self._memory.unsaid:
                self._memory.unsaid[run] = self._load_unsaid(connection, run)
        self._load_versions(connection, {new.stream for append in batch for new in append.events})
        tail, last_hash = self._datastore.dialect.tail(connection)
        if self._memory.complete_after is None:
            self._memory.complete_after = tail
        now = time.time()
        rows: list[NewRow] = []
        metas: list[Meta] = []
        done: list[Mark] = []
        for append in batch:
            committed = tail + len(rows) + len(append.events)
            mark = None
            if append.handled_by and append.cause:
                mark = Mark(append.handled_by, append.cause.position, append.handler, committed)
                done.append(mark)
            for number, (new, content) in enumerate(zip(append.events, append.contents, strict=True), 1):
                run = run_of(new.stream)
                marks = self._memory.unsaid[run]
                if marks:
                    self._memory.unsaid[run] = []
                if mark and number == len(append.events):
                    marks = [*marks, mark]
                meta = Meta(
                    event_id=self._event_id(connection, append, new),
                    time=now,
                    host=self._host,
                    handler=append.handler,
                    cause=append.cause.meta.event_id if append.cause else None,
                    correlation=run,
                    measured=new.measured,
                    handled=tuple(marks),
                )
                version = self._memory.versions[new.stream] = self._memory.versions[new.stream] + 1
                state = encode_state(content, meta)
                rows.append(NewRow(new.stream, version, content.topic, state, meta.correlation, str(meta.event_id)))
                metas.append(meta)
            if mark and not append.events:
                self._memory.unsaid[mark.run].append(mark)
        self._insert_texts(connection, batch)
        given = self._recorder.append(connection, rows, (tail, last_hash))
        if done:
            connection.execute(_INSERT_HANDLED, [mark._asdict() for mark in done])
        place = iter(zip(rows, metas, given, strict=True))
        return [
            [
                Recorded(position, row.stream, row.version, new.event, meta, content.sha256, chain_hash)
                for (new, content), (row, meta, (position, chain_hash)) in zip(
                    zip(append.events, append.contents, strict=True), place, strict=False
                )
            ]
            for append in batch
        ]

    def _load_versions(self, connection: Connection, streams: set[str]) -> None:
        unknown = [stream for stream in streams if stream not in self._memory.versions]
        if not unknown:
            return
        found = dict(connection.execute(_LAST_VERSIONS, {"streams": unknown}).tuples().all())
        self._memory.versions.update({stream: found.get(stream, 0) for stream in unknown})

    def _load_unsaid(self, connection: Connection, run: str) -> list[Mark]:
        """Marks of a run that an earlier process made and no event says."""
        last = connection.execute(_LAST_OF_RUN, {"run": run}).one_or_none()
        if last is None:
            return []
        said = decode_meta(split_state(last.state).meta).handled
        made = [Mark(*row) for row in connection.execute(_MARKS_SINCE, {"run": run, "position": last.seq})]
        return [mark for mark in made if mark not in said]

    def _event_id(self, connection: Connection, append: Append, new: NewEvent) -> UUID:
        """uuid5 of the cause, the handler, the stream, the type and its count among those."""
        base = append.cause.meta.event_id if append.cause else uuid5(NAMESPACE, run_of(new.stream))
        streams = self._memory.counts.setdefault((base, append.handler), {})
        counts = streams.get(new.stream)
        if counts is None:
            counts = streams[new.stream] = self._load_counts(connection, append, new.stream)
        counts[new.event.type] += 1
        return uuid5(base, f"{append.handler}/{new.stream}/{new.event.type}/{counts[new.event.type]}")

    def _load_counts(self, connection: Connection, append: Append, stream: str) -> Counter[str]:
        """What an earlier process, or this one before it forgot, appended to the stream for the same reason."""
        complete_after = self._memory.complete_after
        assert complete_after is not None
        is_new = self._memory.versions[stream] == 0
        if is_new or (append.cause is not None and append.cause.position > complete_after):
            return Counter()
        cause = append.cause.meta.event_id if append.cause else None
        counts: Counter[str] = Counter()
        query = select(events.c.topic, events.c.state).where(events.c.stream == stream, events.c.event_id.is_not(None))
        for topic, state in connection.execute(query):
            meta = decode_meta(split_state(state).meta)
            if meta.cause == cause and meta.handler == append.handler:
                counts[topic.partition("@")[0]] += 1
        return counts

    def _insert_texts(self, connection: Connection, batch: Sequence[Append]) -> None:
        new = {
            name: text
            for append in batch
            for content in append.contents
            for name, text in content.texts.items()
            if name not in self._known_texts
        }
        if new:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            rows = [{"sha256": name, "text": text} for name, text in new.items()]
            connection.execute(dialect.insert(texts).on_conflict_do_nothing(), rows)

    def _remember(self, batch: Sequence[Append], outcomes: Sequence[list[Recorded] | Exception]) -> None:
        """After the commit: what is known to be in the log, and what need not be known any more."""
        for append, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Exception):
                continue
            for content in append.contents:
                self._known_texts.add(content.texts)
            if append.handled_by and append.cause:
                self._memory.counts.pop((append.cause.meta.event_id, append.handler), None)
        if len(self._memory.versions) > REMEMBERED_STREAMS or len(self._memory.counts) > REMEMBERED_STREAMS:
            self._memory = Memory()

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


_INSERT_HANDLED = insert(handled)
_LAST_OF_RUN = (
    select(events.c.seq, events.c.state).where(events.c.run == bindparam("run")).order_by(events.c.seq.desc()).limit(1)
)
_MARKS_SINCE = (
    select(handled.c.run, handled.c.position, handled.c.handler, handled.c.committed)
    .where(handled.c.run == bindparam("run"), handled.c.committed >= bindparam("position"))
    .order_by(handled.c.committed, handled.c.position, handled.c.handler)
)
_LAST_VERSIONS = (
    select(events.c.stream, func.max(events.c.version))
    .where(events.c.stream.in_(bindparam("streams", expanding=True)))
    .group_by(events.c.stream)
)


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
