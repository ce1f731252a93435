"""The tables, declared once for every database.

`events` is the log itself, `texts` holds what is too long to stand in an event, `handled` says which causes a handler
is done with, `leases` who drives a run. `tracking` and the tables that `aggregate_table` makes are for applications
of the `eventsourcing` library that use this package as their persistence module.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

SCHEMA_VERSION = 1
"""Grows when a table changes; kept in the database, so that a log of a newer version is refused and not misread."""


class State(TypeDecorator[bytes]):
    """Bytes that a person can read in SQL wherever they are text.

    SQLite's columns take any type: valid UTF-8 is stored as TEXT, anything else as BLOB, and both come back as the
    same bytes. Elsewhere it is the database's type for bytes (on PostgreSQL, `convert_from(state, 'UTF8')` reads it).
    """

    impl = LargeBinary
    cache_ok = True
    _text: TypeEngine[Any] = Text()
    _bytes: TypeEngine[Any] = LargeBinary()

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(self._text if dialect.name == "sqlite" else self._bytes)

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> object:
        if value is None or dialect.name != "sqlite":
            return value
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value

    def process_result_value(self, value: Any, dialect: Dialect) -> bytes | None:
        if isinstance(value, str):
            return value.encode()
        return None if value is None else bytes(value)


class LongText(TypeDecorator[str]):
    """Any text. PostgreSQL's own type for it has no zero character, so there it is bytes in UTF-8."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(LargeBinary() if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> object:
        return value.encode() if value is not None and dialect.name == "postgresql" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return bytes(value).decode() if value is not None and dialect.name == "postgresql" else value


Position = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only where the type is spelled INTEGER."""

metadata = MetaData()

events = Table(
    "events",
    metadata,
    Column("seq", Position, primary_key=True, autoincrement=True),
    Column("stream", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("topic", Text, nullable=False),
    Column("run", Text),
    Column("event_id", String(36)),
    Column("state", State, nullable=False),
    Column("chain_hash", String(64), nullable=False),
    UniqueConstraint("stream", "version"),
    # The stream is part of what an id derives from, so this forbids the same as uniqueness of the id alone would. But
    # ids are random, and an index over them alone doubles the bytes that are written for an event.
    UniqueConstraint("stream", "event_id"),
    Index("events_by_run", "run", "seq"),
    Index("events_by_topic", "run", "topic", "seq"),
    sqlite_autoincrement=True,
)
"""The log. `run` and `event_id` are null for events of library aggregates."""

texts = Table(
    "texts",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("text", LongText, nullable=False),
)
"""Long texts by the hash of their UTF-8 bytes."""

handled = Table(
    "handled",
    metadata,
    Column("run", Text, primary_key=True),
    Column("position", Position, ForeignKey("events.seq"), primary_key=True),
    Column("handler", Text, primary_key=True),
    Column("committed", Position, nullable=False),
    sqlite_with_rowid=False,
)
"""Handler is done, on behalf of the run, with the event at position, and the last event of its reaction is at
`committed`: up to there its effects are complete."""

leases = Table(
    "leases",
    metadata,
    Column("run", Text, primary_key=True),
    Column("token", String(32), nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process", Text, nullable=False),
    Column("expires", Double, nullable=False),
)
"""Who drives a run, until when (Unix time in seconds). `process` tells two processes of the same pid apart."""

tracking = Table(
    "tracking",
    metadata,
    Column("application_name", Text, primary_key=True),
    Column("notification_id", Position, nullable=False),
    sqlite_with_rowid=False,
)
"""How far an application has processed another one's notifications."""

log_tables = (events, texts, handled, leases)


def aggregate_table(name: str) -> Table:
    """A plain table of events or snapshots: no order over all streams, no chain."""
    return Table(
        name,
        MetaData(),
        Column("stream", Text, primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("topic", Text, nullable=False),
        Column("state", State, nullable=False),
    )
