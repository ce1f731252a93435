"""The log as the rest of agent0es sees it."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from eventsourcing.application import Application
from eventsourcing.utils import Environment, EnvType
from sqlalchemy import select

from agent0es.domain.names import NO_RUNS, is_evaluation
from agent0es.errors import LogError, QueryError, StoreError
from agent0es.log import columns
from agent0es.log.append import Append
from agent0es.log.checkpoint import Checkpoint
from agent0es.log.datastore import POLL_SECONDS, Datastore
from agent0es.log.lease import Driver, Leases
from agent0es.log.mapper import EventMapper, decode_content, decode_meta, encode_content, split_state
from agent0es.log.opening import check_database, find_database
from agent0es.log.recorders import LogApplicationRecorder
from agent0es.log.records import NewEvent, Recorded
from agent0es.log.schema import events, handled, texts
from agent0es.log.texts import TextCache, references
from agent0es.log.transfer import export_log, import_log
from agent0es.log.upcasting import CURRENT_VERSIONS, topics_of
from agent0es.log.verification import ChainReport, verify
from agent0es.log.writer import Writer

if TYPE_CHECKING:
    import pyarrow

PAGE_ROWS = 1000
"""Rows that a reader takes from the database at a time."""

NOTHING_EXPECTED: Mapping[str, int] = MappingProxyType({})

LOOKUP = 500
"""Texts that one query asks for."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """An event as it stands in the log, with its content and meta as JSON text: fast, for projections."""

    position: int
    stream: str
    version: int
    type: str
    event_version: int
    run: str
    content: str
    """Canonical JSON, long texts as `{"$text": "<sha256>"}`."""
    meta: str
    content_hash: str
    chain_hash: str


class EventLog(Application[Any]):
    """Append-only log of what happened, over the persistence module `agent0es.log`.

    Safe for several threads. An append is all or nothing and durable when it returns. A reader sees positions in
    order and never misses one.
    """

    env = {"LOG_URL": "sqlite:///:memory:"}  # noqa: RUF012 — the library's way of giving defaults

    def __init__(self, env: EnvType | None = None) -> None:
        super().__init__(env)
        assert isinstance(self.recorder, LogApplicationRecorder)
        self._datastore: Datastore = self.recorder.datastore
        self._texts = TextCache()
        self._leases = Leases(self._datastore)
        self._writer = Writer(self.recorder, self._leases, self._texts)
        self._observers: list[Callable[[Recorded], None]] = []
        if isinstance(self.mapper, EventMapper):
            self.mapper.resolve = self._find_texts

    @classmethod
    def open(cls, url_or_path: str | os.PathLike[str], *, read_only: bool = False) -> "EventLog":
        """The log in a file, or at a SQLAlchemy URL; it is created when it does not exist, unless `read_only`.

        Raises StoreError when there is none to read, when it can't be read or written, or when it isn't a log.
        """
        url = find_database(url_or_path, read_only=read_only)
        log = cls({"LOG_URL": url, "LOG_READ_ONLY": "yes" if read_only else "no", "CREATE_TABLE": "no"})
        try:
            check_database(log._datastore)
        except BaseException:
            log.close()
            raise
        return log

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """The library's environment; what makes this a log is not up for choice."""
        environment = super().construct_env(name, env)
        environment.update(
            PERSISTENCE_MODULE="agent0es.log",
            MAPPER_TOPIC="agent0es.log.mapper:EventMapper",
            ORIGINATOR_ID_TYPE="text",
        )
        return environment

    # Writing

    def append(
        self,
        events: Sequence[NewEvent],
        *,
        handler: str,
        cause: Recorded | None = None,
        handled: bool = False,
        run: str | None = None,
    ) -> list[Recorded]:
        """Append all the events or none; durable when it returns.

        With `handled`, the same transaction records that the handler is done with the cause on behalf of `run`, which
        is the cause's own unless a fork continues from it; doing so twice raises ConcurrencyError and appends nothing.
        Raises ConcurrencyError when somebody else appended to a stream first,
        RunInUse when this process lost its lease on the run, StoreError when the disk won't have it, LogError for
        what can't be stored.
        """
        append = self._prepare(events, handler, cause, handled, run)
        return self._told(self._writer.append(append)) if append else []

    async def append_async(
        self,
        events: Sequence[NewEvent],
        *,
        handler: str,
        cause: Recorded | None = None,
        handled: bool = False,
        run: str | None = None,
        expected: Mapping[str, int] = NOTHING_EXPECTED,
    ) -> list[Recorded]:
        """Like `append`, for an event loop: appends that are awaited at the same time share one transaction.

        `expected` is stream to the version that it must still have, 0 for one without events: else ConcurrencyError is
        raised and nothing is appended, whichever process was first.
        """
        append = self._prepare(events, handler, cause, handled, run)
        if append is not None:
            append.expected = expected
        return self._told(await self._writer.append_async(append)) if append else []

    def observe(self, observer: Callable[[Recorded], None]) -> None:
        """Have an observer told of each event that this process appends through this object from now on."""
        self._observers.append(observer)

    def lease(self, run: str, *, ttl: float = 15.0) -> AbstractContextManager[None]:
        """The lease to drive a run, renewed every third of `ttl` seconds. Raises RunInUse while another process has it.

        The lease of a process that is dead, or that let `ttl` pass, is taken over at once.
        """
        return self._leases.hold(run, ttl)

    def drivers(self) -> dict[str, Driver]:
        """Runs that are running now, each with the process that drives it; what else holds a lease is among them."""
        return self._leases.drivers()

    # Reading

    def read(
        self,
        *,
        after: int = 0,
        until: int | None = None,
        run: str | None = None,
        stream: str | None = None,
        types: Collection[str] | None = None,
        limit: int | None = None,
    ) -> Iterator[Recorded]:
        """Events in order of position, those included that are appended meanwhile.

        `after` is exclusive, `until` inclusive. Raises QueryError for a type that the catalogue doesn't have.
        """
        for page in self._pages(after, until, run, stream, types, limit):
            parts = [split_state(row.state) for row in page]
            found = self._find_texts([name for part in parts for name in references(part.content)])
            for row, part in zip(page, parts, strict=True):
                yield Recorded(
                    position=row.seq,
                    stream=row.stream,
                    version=row.version,
                    event=decode_content(part.content, found),
                    meta=decode_meta(part.meta),
                    content_hash=part.sha256,
                    chain_hash=row.chain_hash,
                )

    def raw(
        self,
        *,
        after: int = 0,
        until: int | None = None,
        run: str | None = None,
        stream: str | None = None,
        types: Collection[str] | None = None,
        limit: int | None = None,
    ) -> Iterator[RawRow]:
        """Like `read`, without parsing: old versions as they were written, texts as references."""
        for page in self._pages(after, until, run, stream, types, limit):
            for row in page:
                part = split_state(row.state)
                kind, _, version = row.topic.partition("@")
                yield RawRow(
                    position=row.seq,
                    stream=row.stream,
                    version=row.version,
                    type=kind,
                    event_version=int(version),
                    run=row.run,
                    content=part.content.decode(),
                    meta=part.meta.decode(),
                    content_hash=part.sha256,
                    chain_hash=row.chain_hash,
                )

    def arrow(self, after: int = 0, limit: int | None = None) -> "pyarrow.Table":
        """Events after a position as columns: those of `raw`, without the content hash, and `resolved`.

        `resolved` is the content as readers see it: of the current version, and with its long texts in place, but for
        those in lists, such as the parts of a prompt. It is null where it would be the same as `content`.
        """
        table = columns.Columns()
        with self._datastore.store_errors(), self._datastore.read() as connection:
            cursor = connection.execute(columns.statement(after, limit)).cursor
            assert cursor is not None, "a SELECT has one"
            # Past SQLAlchemy's rows, which cost as much as reading does.
            while rows := cursor.fetchmany(columns.PAGE_ROWS):
                table.add(rows)
        return table.resolved(self._find_texts)

    def head(self) -> int:
        """The last position, 0 when the log is empty."""
        with self._datastore.store_errors():
            return self.recorder.max_notification_id() or 0

    def handled(self, run: str, until: int | None = None) -> set[tuple[str, int]]:
        """All (handler, position of the cause) that are done on behalf of a run, their effects complete at `until`."""
        query = select(handled.c.handler, handled.c.position).where(handled.c.run == run)
        if until is not None:
            query = query.where(handled.c.committed <= until)
        with self._datastore.store_errors(), self._datastore.read() as connection:
            return {(handler, position) for handler, position in connection.execute(query)}

    def runs(self) -> list[str]:
        """Names of the runs, in order of their first event."""
        return [name for name in self._begun() if not is_evaluation(name) and name not in NO_RUNS]

    def evaluations(self) -> list[str]:
        """Names of the evaluations by themselves, in order of their first event."""
        return [name for name in self._begun() if is_evaluation(name)]

    def _begun(self) -> list[str]:
        found: list[tuple[int, str]] = []
        with self._datastore.store_errors(), self._datastore.read() as connection:
            query = select(events.c.run, events.c.seq).order_by(events.c.run, events.c.seq).limit(1)
            # One step into the index for each run, where GROUP BY would walk over all events.
            row = connection.execute(query.where(events.c.run.is_not(None))).fetchone()
            while row is not None:
                found.append((row.seq, row.run))
                row = connection.execute(query.where(events.c.run > row.run)).fetchone()
        return [run for _, run in sorted(found)]

    def text(self, sha256: str) -> str:
        """A text by its hash. Raises LogError when the log hasn't it."""
        return self._find_texts([sha256])[sha256]

    def texts(self, names: Sequence[str]) -> dict[str, str]:
        """Texts by their hashes. Raises LogError for one that the log hasn't."""
        return dict(self._find_texts(names))

    def verify(self, checkpoint: Checkpoint | None = None) -> ChainReport:
        """Recompute every hash of the log and report the first position that has been altered.

        With a checkpoint also whether the log still begins with the events that it was made of.
        """
        with self._datastore.store_errors():
            return verify(self._datastore, checkpoint)

    def export(self, file: Path) -> ChainReport:
        """Write all of the log into a file that verifies by itself. Raises StoreError for a log that was changed."""
        with self._datastore.store_errors():
            return export_log(self._datastore, file)

    def load(self, file: Path, report: ChainReport) -> ChainReport:
        """Fill this empty log with an exported one, all or nothing. Raises StoreError.

        `report` is what `verify_export` found in the file.
        """
        with self._datastore.store_errors():
            return import_log(self._datastore, file, report)

    def subscribe(
        self, after: int = 0, run: str | None = None, look_seconds: float = POLL_SECONDS
    ) -> Iterator[Recorded]:
        """Events after a position and then those to come, whoever appends them; ends when the log is closed. Those of
        other processes are found by looking, so often."""
        appended = self._datastore.appended
        while not self.closing.is_set():
            seen = appended.count
            try:
                head = self.head()
            except StoreError:
                if self.closing.is_set():
                    return
                raise
            if head > after:
                yield from self.read(after=after, until=head, run=run)
                after = head
            else:
                appended.wait(seen, look_seconds)

    def close(self) -> None:
        """Commit what waits and close every connection."""
        self._writer.close()
        super().close()

    def _told(self, appended: list[Recorded]) -> list[Recorded]:
        for observer in self._observers:
            for recorded in appended:
                observer(recorded)
        return appended

    def _prepare(
        self, new: Sequence[NewEvent], handler: str, cause: Recorded | None, handled: bool, run: str | None
    ) -> Append | None:
        if handled and cause is None:
            raise ValueError("handled=True needs the cause that was handled")
        if self._datastore.read_only:
            raise StoreError(f"{self._datastore.dialect.name}: the log was opened read-only")
        if not new and not handled:
            return None
        contents = [encode_content(event.event) for event in new]
        by = (run or cause.run) if handled and cause else None
        append = Append(tuple(new), contents, handler, cause, by)
        _ = append.runs  # a stream without a run is refused here and not among others in the writer
        return append

    def _pages(
        self,
        after: int,
        until: int | None,
        run: str | None,
        stream: str | None,
        types: Collection[str] | None,
        limit: int | None,
    ) -> Iterator[Sequence[Any]]:
        """Rows of the catalogue's events, a page at a time, no transaction open in between."""
        query = select(events).where(events.c.event_id.is_not(None)).order_by(events.c.seq)
        if until is not None:
            query = query.where(events.c.seq <= until)
        if run is not None:
            query = query.where(events.c.run == run)
        if stream is not None:
            query = query.where(events.c.stream == stream)
        if types is not None:
            query = query.where(events.c.topic.in_([topic for kind in types for topic in _topics(kind)]))
        while limit is None or limit > 0:
            size = PAGE_ROWS if limit is None else min(PAGE_ROWS, limit)
            with self._datastore.store_errors(), self._datastore.read() as connection:
                page = connection.execute(query.where(events.c.seq > after).limit(size)).fetchall()
            if page:
                yield page
                after = page[-1].seq
            if len(page) < size:
                return
            limit = None if limit is None else limit - size

    def _find_texts(self, names: Sequence[str]) -> Mapping[str, str]:
        wanted = set(names)
        found = self._texts.find(wanted)
        missing = sorted(wanted - found.keys())
        for start in range(0, len(missing), LOOKUP):
            query = select(texts.c.sha256, texts.c.text).where(texts.c.sha256.in_(missing[start : start + LOOKUP]))
            with self._datastore.store_errors(), self._datastore.read() as connection:
                loaded = dict(connection.execute(query).tuples().all())
            found.update(loaded)
            self._texts.add(loaded)
        for name in missing:
            if name not in found:
                raise LogError(f"{self._datastore.dialect.name}: there is no text {name}")
        return found


def _topics(kind: str) -> list[str]:
    if kind not in CURRENT_VERSIONS:
        raise QueryError(f"there is no event {kind!r}; there are: {', '.join(CURRENT_VERSIONS)}")
    return topics_of(kind)
