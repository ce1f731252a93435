"""Connections and transactions, and the news that something was appended."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from eventsourcing import persistence as es
from sqlalchemy import URL, Connection, Engine, Table, create_engine, exc, inspect, make_url

from agent0es.errors import StoreError
from agent0es.log.dialects import WRITE, Dialect
from agent0es.log.sqlite import Sqlite

BUSY_SECONDS = 10.0
"""How long a writer waits for another process's transaction."""

POLL_SECONDS = 0.05
"""How often a follower looks for what other processes appended."""

_LIBRARY_ERRORS: tuple[tuple[type[exc.DBAPIError], type[es.PersistenceError]], ...] = (
    (exc.InterfaceError, es.InterfaceError),
    (exc.DataError, es.DataError),
    (exc.OperationalError, es.OperationalError),
    (exc.IntegrityError, es.IntegrityError),
    (exc.InternalError, es.InternalError),
    (exc.ProgrammingError, es.ProgrammingError),
    (exc.NotSupportedError, es.NotSupportedError),
    (exc.DatabaseError, es.DatabaseError),
    (exc.DBAPIError, es.PersistenceError),
)


class Appended:
    """Wakes up those who wait for events. Only within this process: others are found by looking."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        return self._count

    def notify(self) -> None:
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait(self, seen: int, seconds: float = POLL_SECONDS) -> None:
        """Return when `count` is no longer `seen`, or after `seconds`."""
        with self._condition:
            self._condition.wait_for(lambda: self._count != seen, seconds)


class Datastore:
    """A database with one writer at a time in this process and any number of readers.

    Failures are raised as the errors of `eventsourcing.persistence`, with the driver's error as their cause.
    """

    def __init__(
        self,
        url: str,
        *,
        busy_seconds: float = BUSY_SECONDS,
        synchronous: str = "FULL",
        read_only: bool = False,
        originator_ids: str = "uuid",
    ) -> None:
        parsed = make_url(url)
        self.read_only = read_only
        self.originator_ids = originator_ids
        self.dialect = dialect_for(parsed, busy_seconds=busy_seconds, synchronous=synchronous)
        self.appended = Appended()
        self.closed = False
        try:
            self.engine: Engine = create_engine(parsed, **self.dialect.engine_options)
        except ImportError as error:
            name = self.dialect.name
            install = "in a clone of agent0es: pip install -e '.[postgres]'"
            raise StoreError(f"{name}: its driver is missing ({error}); {install}") from None
        self.dialect.prepare(self.engine)
        self._lock = threading.RLock()
        self._writer: Connection | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees the log as of its first query."""
        self._check_open()
        with library_errors():
            if self.dialect.in_memory:
                with self._lock, self.engine.connect() as connection:
                    yield connection
            else:
                with self.engine.connect() as connection:
                    yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that keeps other writers out; committed at the end, rolled back on any error."""
        with self._lock:
            self._check_open()
            with library_errors():
                if self._writer is None:
                    self._writer = self.engine.connect().execution_options(**{WRITE: True})
                with self._writer.begin():
                    self.dialect.lock(self._writer)
                    self.dialect.check(self._writer)
                    yield self._writer

    @contextmanager
    def store_errors(self) -> Iterator[None]:
        """Failures of the database as StoreError: one line that says what happened, where, and what to do."""
        try:
            yield
        except es.PersistenceError as error:
            raise self.store_error(error) from error

    def store_error(self, error: es.PersistenceError) -> StoreError:
        """A failure of the database in words."""
        return StoreError(self.dialect.explain(error.__cause__) or f"{self.dialect.name}: {error}")

    def create(self, *tables: Table) -> None:
        """Create the tables that are missing, with their indices and triggers."""
        if not self.tables():
            with library_errors(), self._lock:
                self.dialect.initialise(self.engine)
        with self.write() as connection:
            present = set(inspect(connection).get_table_names())
            for table in tables:
                if table.name not in present:
                    table.create(connection)
                    self.dialect.protect(connection, table)

    def tables(self) -> set[str]:
        """Names of the tables that the database has."""
        with self.read() as connection:
            return set(inspect(connection).get_table_names())

    def close(self) -> None:
        """Close every connection. Further use raises."""
        with self._lock:
            self.closed = True
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            self.engine.dispose()
        self.appended.notify()

    def _check_open(self) -> None:
        if self.closed:
            raise es.InterfaceError("the log is closed")


@contextmanager
def library_errors() -> Iterator[None]:
    """SQLAlchemy's errors as those that the `eventsourcing` library declares."""
    try:
        yield
    except exc.DBAPIError as error:
        kind = next(library for sqlalchemy, library in _LIBRARY_ERRORS if isinstance(error, sqlalchemy))
        raise kind(str(error.orig)) from error
    except exc.TimeoutError as error:
        raise es.OperationalError(str(error)) from error


def url_of_file(path: Path, *, read_only: bool = False) -> str:
    """The SQLAlchemy URL of an SQLite file of any name, which must exist when it is only read."""
    query = {"mode": "ro" if read_only else "rwc", "uri": "true"}
    written_ahead = path.with_name(path.name + "-wal")
    if read_only and is_mounted_read_only(path) and not written_ahead.exists():
        # SQLite can't make the index of a write-ahead log there, and nobody can write. Not where a process that was
        # killed left such a log: SQLite would not look into it, and what it holds would be missing.
        query["immutable"] = "1"
    # A name is bytes: as a URI it needs no character that means something in a URL, nor be text at all.
    database = f"file:{quote(os.fsencode(path.absolute()))}"
    return URL.create("sqlite", database=database, query=query).render_as_string()


def is_mounted_read_only(path: Path) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def dialect_for(url: URL, *, busy_seconds: float, synchronous: str) -> Dialect:
    """The dialect of a URL. Raises StoreError for a database that the log doesn't know."""
    match url.get_backend_name():
        case "sqlite":
            return Sqlite(url, busy_seconds=busy_seconds, synchronous=synchronous)
        case "postgresql":
            from agent0es.log.postgresql import Postgresql

            return Postgresql(url, busy_seconds=busy_seconds)
        case other:
            raise StoreError(f"{other}: the log runs on sqlite and postgresql; choose one of them")
