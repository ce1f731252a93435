"""The log in an SQLite file, or in memory."""

import errno
import os
import sqlite3
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from sqlalchemy import Connection, Engine, Table, event
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable

from agent0es.errors import StoreError
from agent0es.log.dialects import WRITE
from agent0es.log.schema import SCHEMA_VERSION, aggregate_table, events, log_tables, tracking

APPLICATION_ID = 0x41304553
"""`A0ES`, in the header of an SQLite file of ours."""


class Sqlite:
    """SQLite: write-ahead log, one writer, full durability unless told otherwise."""

    # Cast, because the bytes count: text that is no UTF-8 any more would not be read at all.
    raw_events = (
        "SELECT seq, CAST(stream AS BLOB), version, CAST(topic AS BLOB), CAST(run AS BLOB), CAST(event_id AS BLOB), "
        "CAST(state AS BLOB), CAST(chain_hash AS BLOB), "
        "typeof(stream) = 'text' AND typeof(version) = 'integer' AND typeof(topic) = 'text' "
        "AND typeof(chain_hash) = 'text' AND typeof(run) <> 'blob' AND typeof(event_id) <> 'blob' "
        "AND (typeof(state) = 'text' OR event_id IS NULL) FROM events WHERE seq >= {first} ORDER BY seq"
    )
    raw_texts = (
        "SELECT CAST(sha256 AS BLOB), CAST(text AS BLOB), typeof(sha256) || typeof(text) = 'texttext' FROM texts"
    )
    raw_handled = (
        "SELECT CAST(run AS BLOB), position, CAST(handler AS BLOB), committed, "
        "typeof(run) || typeof(position) || typeof(handler) || typeof(committed) = 'textintegertextinteger' "
        "FROM handled"
    )

    def __init__(self, url: URL, *, busy_seconds: float, synchronous: str) -> None:
        database = url.database or ":memory:"
        self.in_memory = database in (":memory:", "file::memory:") or url.query.get("mode") == "memory"
        self.path = None if self.in_memory else _path_of(database)
        self.name = str(self.path or "the log in memory")
        self._inode: int | None = None
        self._busy_milliseconds = int(busy_seconds * 1000)
        self._synchronous = synchronous
        pool: dict[str, Any] = {"poolclass": StaticPool} if self.in_memory else {"pool_size": 8, "max_overflow": 64}
        self.engine_options: Mapping[str, Any] = {"connect_args": {"check_same_thread": False}, **pool}

    def prepare(self, engine: Engine) -> None:
        @event.listens_for(engine, "connect")
        def connect(connection: sqlite3.Connection, _record: object) -> None:
            connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
            connection.execute(f"PRAGMA busy_timeout = {self._busy_milliseconds}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            # A transaction that begins as a reader and then writes fails at once if another one wrote meanwhile;
            # one that takes the lock at its beginning waits for it.
            write = connection.get_execution_options().get(WRITE, False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    def initialise(self, engine: Engine) -> None:
        # The file remembers it, so not on every connection: somebody else's database is looked at and left as it is.
        connection = engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.close()
        except sqlite3.Error as error:
            raise StoreError(self.explain(error) or f"{self.name}: {error}") from error
        finally:
            connection.close()

    def protect(self, connection: Connection, table: Table) -> None:
        if table is events:
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
        for statement in _SQLITE_TRIGGERS.get(table.name, ()):
            connection.exec_driver_sql(statement)

    def lock(self, connection: Connection) -> None:
        """BEGIN IMMEDIATE took it."""

    def tail(self, connection: Connection) -> tuple[int, str | None]:
        # Not max(seq): the number of a row that somebody managed to cut off at the end is not given away again.
        row = connection.exec_driver_sql(
            "SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'events'), "
            "(SELECT chain_hash FROM events ORDER BY seq DESC LIMIT 1)"
        ).one()
        return row[0] or 0, row[1]

    def check(self, connection: Connection) -> None:
        # SQLite keeps writing to a file that was moved or deleted, and nobody would ever see it.
        if self.path is None:
            return
        try:
            inode = self.path.stat().st_ino
        except OSError as error:
            raise StoreError(f"{self.path}: the log is gone ({error.strerror}); put it back and start again") from None
        if self._inode not in (None, inode):
            raise StoreError(f"{self.path}: the file was replaced while it was in use; start again")
        self._inode = inode

    def now(self, connection: Connection) -> float:
        return time.time()

    def schema_version(self, connection: Connection) -> int:
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar() or 0)

    def strangeness(self, connection: Connection) -> str | None:
        found = {
            (kind, name): (table, sql)
            for kind, name, table, sql in connection.exec_driver_sql(
                "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'"
            )
        }
        expected = _objects()
        for (kind, name), (_table, sql) in sorted(found.items()):
            made = expected.get((kind, name))
            if made is None and not (kind == "table" and sql and _normal(sql) in _library_tables(name)):
                return f"there is a foreign {kind} {name!r}"
            if made is not None and _normal(sql or "") != made.sql:
                return f"the {kind} {name} is not the one that agent0es makes"
        for (kind, name), made in expected.items():
            if (kind, name) not in found and ("table", made.table) in found:
                return f"the {kind} {name} is missing"
        return None

    def explain(self, error: BaseException | None) -> str | None:
        origin = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(origin, sqlite3.Error):
            return None
        code = getattr(origin, "sqlite_errorcode", 0) & 0xFF
        meaning = _SQLITE_MEANINGS.get(code)
        return f"{self.name}: {meaning} ({origin})" if meaning else None


class _Object(NamedTuple):
    """Something that a schema holds."""

    table: str
    sql: str


@cache
def _objects() -> Mapping[tuple[str, str], _Object]:
    """Kind and name of everything that SQLite keeps for the log's tables."""
    objects: dict[tuple[str, str], _Object] = {}
    for table in log_tables:
        objects["table", table.name] = _Object(table.name, _created(table))
        for index in table.indexes:
            statement = str(CreateIndex(index).compile(dialect=sqlite_dialect.dialect()))
            objects["index", str(index.name)] = _Object(table.name, _normal(statement))
        for trigger in _SQLITE_TRIGGERS.get(table.name, ()):
            objects["trigger", trigger.split()[2]] = _Object(table.name, _normal(trigger))
    return objects


def _library_tables(name: str) -> tuple[str, ...]:
    """Statements of the tables that applications of the `eventsourcing` library may have beside the log's."""
    return (_created(aggregate_table(name)), *([_created(tracking)] if name == tracking.name else []))


def _created(table: Table) -> str:
    return _normal(str(CreateTable(table).compile(dialect=sqlite_dialect.dialect())))


def _normal(sql: str) -> str:
    return " ".join(sql.split())


def _path_of(database: str) -> Path:
    """The file of a plain name, or of an SQLite URI with its escapes."""
    if not database.startswith("file:"):
        return Path(database)
    return Path(os.fsdecode(unquote_to_bytes(database.removeprefix("file:").partition("?")[0])))


_SQLITE_TRIGGERS = {
    "events": (
        "CREATE TRIGGER events_no_update BEFORE UPDATE ON events "
        "BEGIN SELECT RAISE(ABORT, 'events are immutable'); END",
        "CREATE TRIGGER events_no_delete BEFORE DELETE ON events "
        "BEGIN SELECT RAISE(ABORT, 'events are immutable'); END",
        "CREATE TRIGGER events_no_other_seq BEFORE INSERT ON events "
        "WHEN EXISTS (SELECT 1 FROM events WHERE seq = NEW.seq) "
        "BEGIN SELECT RAISE(ABORT, 'there is an event of this seq'); END",
        "CREATE TRIGGER events_no_other_version BEFORE INSERT ON events "
        "WHEN EXISTS (SELECT 1 FROM events WHERE stream = NEW.stream AND version = NEW.version) "
        "BEGIN SELECT RAISE(ABORT, 'there is an event of this stream and version'); END",
        "CREATE TRIGGER events_no_other_event_id BEFORE INSERT ON events "
        "WHEN EXISTS (SELECT 1 FROM events WHERE stream = NEW.stream AND event_id = NEW.event_id) "
        "BEGIN SELECT RAISE(ABORT, 'there is an event of this stream and event_id'); END",
    ),
    "texts": (
        "CREATE TRIGGER texts_no_update BEFORE UPDATE ON texts BEGIN SELECT RAISE(ABORT, 'texts are immutable'); END",
        "CREATE TRIGGER texts_no_delete BEFORE DELETE ON texts BEGIN SELECT RAISE(ABORT, 'texts are immutable'); END",
        "CREATE TRIGGER texts_no_other BEFORE INSERT ON texts "
        "WHEN EXISTS (SELECT 1 FROM texts WHERE sha256 = NEW.sha256 AND text <> NEW.text) "
        "BEGIN SELECT RAISE(ABORT, 'there is another text of this sha256'); END",
    ),
}
"""INSERT OR REPLACE deletes the row that is in its way, which no trigger on DELETE sees: hence those on INSERT."""

_SQLITE_MEANINGS = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space, nothing that was appended is lost",
    sqlite3.SQLITE_READONLY: "the log can't be written; check the permissions of the file and its folder",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore a copy and keep this one for examination",
    sqlite3.SQLITE_NOTADB: "this is not an agent0es log; choose another store",
    sqlite3.SQLITE_BUSY: "another process keeps the log locked; try again, or stop that process",
    sqlite3.SQLITE_LOCKED: "another connection keeps the log locked; try again",
    sqlite3.SQLITE_CANTOPEN: "the log can't be opened; check that the file exists and may be read",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write; check it, nothing that was acknowledged is lost",
    sqlite3.SQLITE_PERM: "access to the log is denied; check the permissions of the file and its folder",
    sqlite3.SQLITE_NOMEM: "out of memory; end other programs and try again",
    sqlite3.SQLITE_TOOBIG: "an event or text is larger than the database takes",
}


def explain_os_error(error: OSError, path: Path) -> str:
    """One line for what the operating system refused."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{path}: {_SQLITE_MEANINGS[sqlite3.SQLITE_FULL]}"
    return f"{path}: {error.strerror or error}; check the path and its permissions"
