"""Recorders of the `eventsourcing` library: aggregates, the application's log, tracking, processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from eventsourcing import persistence as es
from sqlalchemy import Connection, Select, Table, bindparam, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from agent0es.log.chain import GENESIS, chain
from agent0es.log.datastore import Datastore
from agent0es.log.schema import aggregate_table, events, log_tables, tracking


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row of the table `events`, but for what the log gives it: position and chain hash."""

    stream: str
    version: int
    topic: str
    state: bytes
    run: str | None = None
    event_id: str | None = None


class Recorder:
    """Something that is kept in a datastore."""

    tables: Sequence[Table] = ()

    def __init__(self, datastore: Datastore, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.datastore = datastore

    def create_table(self) -> None:
        """Create the tables that are missing."""
        self.datastore.create(*self.tables)


class LogAggregateRecorder(Recorder, es.AggregateRecorder):
    """Events of aggregates in a table of their own, without positions."""

    def __init__(self, datastore: Datastore, table: Table | None = None) -> None:
        super().__init__(datastore)
        self.table = aggregate_table("stored_events") if table is None else table
        self.tables = (self.table,)

    def insert_events(self, stored_events: Sequence[es.StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        with self.datastore.write() as connection:
            positions = self._insert(connection, stored_events, **kwargs)
        self.datastore.appended.notify()
        return positions

    def _insert(
        self, connection: Connection, stored_events: Sequence[es.StoredEvent], **_: Any
    ) -> Sequence[int] | None:
        rows = [
            {
                "stream": _name(stored.originator_id),
                "version": stored.originator_version,
                "topic": stored.topic,
                "state": stored.state,
            }
            for stored in stored_events
        ]
        if rows:
            connection.execute(insert(self.table), rows)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[es.StoredEvent]:
        columns = self.table.c
        query = select(columns.version, columns.topic, columns.state).where(columns.stream == _name(originator_id))
        if gt is not None:
            query = query.where(columns.version > gt)
        if lte is not None:
            query = query.where(columns.version <= lte)
        query = query.order_by(columns.version.desc() if desc else columns.version).limit(limit)
        with self.datastore.read() as connection:
            rows = connection.execute(query).fetchall()
        return [es.StoredEvent(originator_id, version, topic, state) for version, topic, state in rows]


class LogApplicationRecorder(LogAggregateRecorder, es.ApplicationRecorder):
    """The log: every event has a position, and positions become visible in order and without gaps."""

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore, events)
        self.tables = log_tables

    def append(
        self, connection: Connection, rows: Sequence[NewRow], tail: tuple[int, str | None] | None = None
    ) -> list[tuple[int, str]]:
        """Insert rows within a write transaction; returns the position and chain hash of each.

        `tail` is the dialect's tail of the log, for callers that have it already.
        """
        if not rows:
            return []
        position, last_hash = self.datastore.dialect.tail(connection) if tail is None else tail
        previous = last_hash or GENESIS
        given, parameters = [], []
        for row in rows:
            position += 1
            previous = chain(previous, row.stream, row.version, row.topic, row.state)
            given.append((position, previous))
            parameters.append(
                {
                    "seq": position,
                    "stream": row.stream,
                    "version": row.version,
                    "topic": row.topic,
                    "run": row.run,
                    "event_id": row.event_id,
                    "state": row.state,
                    "chain_hash": previous,
                }
            )
        connection.execute(_INSERT, parameters)
        return given

    def _insert(self, connection: Connection, stored_events: Sequence[es.StoredEvent], **_: Any) -> Sequence[int]:
        rows = [NewRow(_name(s.originator_id), s.originator_version, s.topic, s.state) for s in stored_events]
        return [position for position, _hash in self.append(connection, rows)]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[es.Notification]:
        query: Select[Any] = select(events.c.seq, events.c.stream, events.c.version, events.c.topic, events.c.state)
        if start is not None:
            query = query.where(events.c.seq >= start if inclusive_of_start else events.c.seq > start)
        if stop is not None:
            query = query.where(events.c.seq <= stop)
        if topics:
            query = query.where(events.c.topic.in_(topics))
        with self.datastore.read() as connection:
            rows = connection.execute(query.order_by(events.c.seq).limit(limit)).fetchall()
        return [
            es.Notification(self._originator(stream), version, topic, state, id=position)
            for position, stream, version, topic, state in rows
        ]

    def _originator(self, name: str) -> UUID | str:
        return UUID(name) if self.datastore.originator_ids == "uuid" else name

    def max_notification_id(self) -> int | None:
        with self.datastore.read() as connection:
            return connection.execute(_HEAD).scalar()

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> "LogSubscription":
        return LogSubscription(self, gt, topics)


_INSERT = insert(events)
_HEAD = select(func.max(events.c.seq))


class LogSubscription(es.Subscription[LogApplicationRecorder]):
    """Follows the log: woken by appends in this process, looking every 50 ms for those of others."""

    page = 500

    def __init__(self, recorder: LogApplicationRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        super().__init__(recorder, gt, topics)
        self._position = gt or 0
        self._found: list[es.Notification] = []

    def __next__(self) -> es.Notification:
        appended = self._recorder.datastore.appended
        while not self._has_been_stopped:
            if self._found:
                return self._found.pop()
            seen = appended.count
            head = self._recorder.max_notification_id() or 0
            if head <= self._position:
                appended.wait(seen)
                continue
            found = self._recorder.select_notifications(
                self._position, self.page, head, self._topics, inclusive_of_start=False
            )
            # With topics, most of the log may not be ours: what was looked through is not looked through again.
            self._position = found[-1].id if len(found) == self.page else head
            self._found = list(reversed(found))
        raise StopIteration

    def stop(self) -> None:
        super().stop()
        self._recorder.datastore.appended.notify()


class LogTrackingRecorder(Recorder, es.TrackingRecorder):
    """How far each upstream application was processed: one row each, and it only ever grows."""

    tables: Sequence[Table] = (tracking,)

    def insert_tracking(self, tracking: es.Tracking) -> None:
        with self.datastore.write() as connection:
            self._insert_tracking(connection, tracking)
        self.datastore.appended.notify()

    def _insert_tracking(self, connection: Connection, new: es.Tracking) -> None:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(tracking).values(
            application_name=bindparam("name"), notification_id=bindparam("position")
        )
        grown = statement.on_conflict_do_update(
            index_elements=[tracking.c.application_name],
            set_={"notification_id": statement.excluded.notification_id},
            where=tracking.c.notification_id < statement.excluded.notification_id,
        ).returning(tracking.c.notification_id)
        values = {"name": new.application_name, "position": new.notification_id}
        if connection.execute(grown, values).fetchone() is None:
            raise es.IntegrityError(
                f"notification {new.notification_id} of {new.application_name} was processed before"
            )

    def max_tracking_id(self, application_name: str) -> int | None:
        query = select(tracking.c.notification_id).where(tracking.c.application_name == application_name)
        with self.datastore.read() as connection:
            return connection.execute(query).scalar()


class LogProcessRecorder(LogTrackingRecorder, LogApplicationRecorder, es.ProcessRecorder):
    """Events and the position that they were a reaction to, in one transaction."""

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore)
        self.tables = (*log_tables, tracking)

    def _insert(self, connection: Connection, stored_events: Sequence[es.StoredEvent], **kwargs: Any) -> Sequence[int]:
        positions = super()._insert(connection, stored_events, **kwargs)
        new: es.Tracking | None = kwargs.get("tracking")
        if new is not None:
            self._insert_tracking(connection, new)
        return positions


def _name(originator_id: UUID | str) -> str:
    return originator_id.hex if isinstance(originator_id, UUID) else originator_id
