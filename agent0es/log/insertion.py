"""The rows that become of appends, within a transaction that the writer has begun.

What had to be asked of the log is remembered, versions of streams and counts of events, as long as nothing goes wrong:
whoever finds that a transaction failed must say `forget`.
"""

import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import Connection, bindparam, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from agent0es.errors import ConcurrencyError
from agent0es.log.append import Append, run_of
from agent0es.log.lease import Leases
from agent0es.log.mapper import decode_meta, encode_state, split_state
from agent0es.log.recorders import LogApplicationRecorder, NewRow
from agent0es.log.records import Mark, Meta, NewEvent, Recorded
from agent0es.log.schema import events, handled, texts
from agent0es.log.texts import TextCache

NAMESPACE = uuid5(NAMESPACE_URL, "https://agent0es/events")
"""Ids of events without a cause derive from this and the run."""

REMEMBERED_STREAMS = 100_000
"""More streams than this are forgotten and looked up again when they are needed."""


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


class Insertion:
    """Puts appends into the log's tables."""

    def __init__(self, recorder: LogApplicationRecorder, leases: Leases, known_texts: TextCache) -> None:
        self._recorder = recorder
        self._datastore = recorder.datastore
        self._leases = leases
        self._known_texts = known_texts
        self._memory = Memory()
        self._host = socket.gethostname()

    def forget(self) -> None:
        """Ask the log again for everything."""
        self._memory = Memory()

    def insert(self, connection: Connection, batch: Sequence[Append]) -> list[list[Recorded]]:
        """Rows of all the appends. Raises when any of them can't be."""
        for run in {run for append in batch for run in append.runs}:
            self._leases.check(connection, run)
            if run not in self._memory.unsaid:
                self._memory.unsaid[run] = self._load_unsaid(connection, run)
        self._load_versions(connection, {name for append in batch for name in append.streams})
        tail, last_hash = self._datastore.dialect.tail(connection)
        if self._memory.complete_after is None:
            self._memory.complete_after = tail
        now = time.time()
        rows: list[NewRow] = []
        metas: list[Meta] = []
        done: list[Mark] = []
        for append in batch:
            for stream, version in append.expected.items():
                if self._memory.versions[stream] != version:
                    raise ConcurrencyError(f"{append.handler}: somebody else appended to {stream} first")
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

    def remember(self, batch: Sequence[Append], outcomes: Sequence[list[Recorded] | Exception]) -> None:
        """After the commit: what is known to be in the log, and what need not be known any more."""
        for append, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Exception):
                continue
            for content in append.contents:
                self._known_texts.add(content.texts)
            if append.handled_by and append.cause:
                key = (append.cause.meta.event_id, append.handler)
                streams = self._memory.counts.pop(key, {})
                others = {stream: known for stream, known in streams.items() if run_of(stream) != append.handled_by}
                if others:  # a fork reacts to what its parent may not be done with
                    self._memory.counts[key] = others
        if len(self._memory.versions) > REMEMBERED_STREAMS or len(self._memory.counts) > REMEMBERED_STREAMS:
            self._memory = Memory()


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
