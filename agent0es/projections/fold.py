"""Folding the log into DuckDB tables, and asking them questions.

Batch after batch of events goes through the statements of `agent0es.projections.schema`, each batch in a transaction
of its own together with its position. Nothing here writes to the log nor keeps it locked, so nothing is in the way of
a run. Where the tables lie, and what happens when two processes want them, is told in `database`.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self, TypeVar

from agent0es.crash_points import reach
from agent0es.errors import QueryError, StoreError, UserError
from agent0es.projections import database, schema, values
from agent0es.projections.clock import Clock

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyarrow import RecordBatch, RecordBatchReader, Table

    from agent0es.log import EventLog

PROJECTIONS_FILE = "projections.duckdb"
BATCH_EVENTS = database.ROW_GROUP
CHECKPOINT_EVENTS = 3 * BATCH_EVENTS
"""After so many events the file gets what was committed."""
ROWS_AT_ONCE = 10_000
TEXTS_AT_ONCE = 2_000

T = TypeVar("T")
Parameters = Sequence[Any] | Mapping[str, Any]

DAMAGE = re.compile("Corrupt database file|Could not read enough bytes|database has been invalidated")
"""DuckDB's words for a file that is not what was written."""

EXPLAIN = re.compile(r"\s*EXPLAIN\s+(ANALYZE\s+)?(\([^)]*\)\s*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave."""

    columns: list[str]
    types: list[str]
    """DuckDB's name of each column's type."""
    rows: Iterator[tuple[Any, ...]]
    """Read once. Raises QueryError when a row can't be computed."""


class Projections:
    """The tables of `agent0es.projections.schema`, folded from a log."""

    def __init__(self, log: "EventLog", path: Path | None, lock: IO[str] | None) -> None:
        """Use `open`."""
        self._log = log
        self._path = path
        self._kept = lock is not None
        self._lock = lock
        self._unwritten = 0
        self._prepared: set[str] = set()
        self._cursors: set[DuckDBPyConnection] = set()
        self._connection = self._connect()

    @classmethod
    def open(cls, log: "EventLog", path: Path | None = None) -> "Projections":
        """Tables in the file at `path`; in a file of this process alone while another one has that; or in memory.

        A file that can't be read, or was made from another log or by another version, is deleted and rebuilt. One whose
        name DuckDB can't open, with a `?` in it, is not used.
        """
        if path is None:
            return cls(log, None, None)
        path = path.absolute()  # a relative one may begin like a URL
        return cls(log, path, database.take(path) if database.takes(path) else None)

    @property
    def kept(self) -> bool:
        """True when the next process finds what was folded."""
        return self._kept

    @property
    def position(self) -> int:
        """The last event that the tables hold."""
        row = self._connection.execute("SELECT position FROM facts.folded").fetchone()
        assert row is not None, "the row is made with the table"
        position: int = row[0]
        return position

    def catch_up(self) -> int:
        """Fold what the log holds now and the tables don't yet. Returns how many events that were."""
        import duckdb

        try:
            return self._fold()
        except duckdb.Error:
            # Damage in the middle of the file shows only here, and a fault of the log shows again in a new fold.
            return self.rebuild()

    def rebuild(self) -> int:
        """Throw the tables away and fold the log from its first event. Returns how many events it has."""
        import duckdb

        self._connection.close()
        if self._kept and self._path is not None:
            database.discard(self._path)
        self._connection = self._connect()
        try:
            return self._fold()
        except duckdb.Error as error:
            raise StoreError(f"the tables can't be made from the log: {one_line(error)}") from error

    def query(self, sql: str, parameters: Parameters = (), *, seconds: float | None = None) -> Answer:
        """Run one SELECT (also SHOW, DESCRIBE, SUMMARIZE, PIVOT, EXPLAIN), which can't change anything.

        Each `?` in it stands for a parameter, or each `$name` for one of a mapping. Raises QueryError with DuckDB's
        words on one line, also where computing the rows takes longer than `seconds`.
        """
        cursor = self._cursor(sql)
        clock = Clock(cursor, seconds)
        with self._refused(cursor):
            with clock.running():
                _interruptibly(cursor, lambda: cursor.execute(sql, parameters))
            columns = [column[0] for column in cursor.description or ()]
            kinds = [column[1] for column in cursor.description or ()]
            textual = values.as_text(sql, kinds)
            if textual is not None:
                cursor.abort()
                with clock.running():
                    _interruptibly(cursor, lambda: cursor.execute(textual, parameters))
            readers = [*map(values.reader, kinds)]
            return Answer(columns, [str(kind) for kind in kinds], self._rows(cursor, readers, clock))

    def arrow(self, sql: str, *, seconds: float | None = None) -> "RecordBatchReader":
        """The same, as Arrow batches. Reading them raises what pyarrow raises, and QueryError."""
        import pyarrow

        cursor = self._cursor(sql)
        clock = Clock(cursor, seconds)
        with self._refused(cursor), clock.running():
            reader = cursor.sql(sql).to_arrow_reader(ROWS_AT_ONCE)

        def batches() -> "Iterator[RecordBatch]":
            with self._refused(cursor):
                yield from clock.steps(iter(reader))

        return pyarrow.RecordBatchReader.from_batches(reader.schema, batches())

    def close(self) -> None:
        """Write what is left to write and let the next process have the file."""
        for cursor in self._cursors:
            cursor.close()
        try:
            self._write()
        finally:
            self._connection.close()
            if self._lock is not None:
                self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _cursor(self, sql: str) -> "DuckDBPyConnection":
        """Where the query may run. Raises QueryError for what is no query."""
        if schema.TEXTS.search(sql):
            self._copy_texts()
        cursor = self._connection.cursor()
        with self._refused(cursor):
            database.enter(cursor)
            _must_be_text(sql)
            _must_only_read(cursor, sql)
            # The file itself may be written by this connection, but not by this transaction.
            cursor.execute("BEGIN TRANSACTION READ ONLY")
        self._cursors.add(cursor)
        return cursor

    @contextmanager
    def _refused(self, cursor: "DuckDBPyConnection") -> Iterator[None]:
        """Turn what DuckDB raises into one line for the user; the cursor is closed then."""
        import duckdb

        try:
            yield
        except (duckdb.Error, QueryError, OSError, ValueError) as error:
            cursor.close()
            self._cursors.discard(cursor)
            if isinstance(error, QueryError):
                raise
            raise self._refusal(error) from error

    def _rows(
        self, cursor: "DuckDBPyConnection", readers: "Sequence[values.Reader | None]", clock: Clock
    ) -> Iterator[tuple[Any, ...]]:
        """The rows as Python values, some thousands at a time."""
        changed = any(readers)
        with self._refused(cursor):
            pages = iter(lambda: _interruptibly(cursor, lambda: cursor.fetchmany(ROWS_AT_ONCE)), [])
            for rows in clock.steps(pages):
                if changed:
                    for row in rows:
                        yield tuple(read(v) if read else v for read, v in zip(readers, row, strict=True))
                else:
                    yield from rows
        cursor.close()
        self._cursors.discard(cursor)

    def _refusal(self, error: Exception) -> UserError:
        """What to tell the user. A file with damaged blocks is deleted at once."""
        import duckdb

        if self._kept and self._path is not None and DAMAGE.search(str(error)):
            database.discard(self._path)
            return StoreError(f"{self._path} was damaged and has been deleted; run the command again to rebuild it")
        if isinstance(error, duckdb.InterruptException):
            return QueryError("the query took too long and was stopped; ask for less, or allow more with --timeout")
        return QueryError(one_line(error))

    def _connect(self) -> "DuckDBPyConnection":
        """A connection to tables that are right for the log, whatever was in the file."""
        import duckdb

        self._unwritten = 0
        self._prepared = set()
        if self._kept and self._path is not None:
            with suppress(duckdb.Error, OSError):
                return self._connect_kept(self._path)
            self._kept = False
        return declare(database.connect_unnamed(self._path) if self._path is not None else database.connect(None))

    def _connect_kept(self, path: Path) -> "DuckDBPyConnection":
        """The same, on the file. Raises what DuckDB raises when the file can't be used at all, e.g. on a full disk."""
        import duckdb

        try:
            connection = database.connect(path)
        except duckdb.Error as error:
            if "Could not set lock" in str(error):  # somebody looks at the file with DuckDB itself
                raise
        else:
            if self._usable(connection):
                database.lock_down(connection)
                return connection
            connection.close()
        database.discard(path)
        return declare(database.connect(path))

    def _usable(self, connection: "DuckDBPyConnection") -> bool:
        """Whether the tables can be read, are of this version and hold a beginning of this log."""
        import duckdb

        try:
            row = connection.execute("SELECT position, chain_hash, fingerprint FROM facts.folded").fetchone()
        except duckdb.Error:
            return False
        if row is None or row[2] != schema.load().fingerprint:
            return False
        position, chain_hash = row[0], row[1]
        return position == 0 or [r.chain_hash for r in self._log.raw(after=position - 1, until=position)] == [
            chain_hash
        ]

    def _fold(self) -> int:
        """Fold batch after batch; each is in the tables together with its position, or not at all."""
        begin = self.position
        head = self._log.head()  # a run that is going on would never end it
        position = begin
        # The next batch is read while the last one is folded.
        with ThreadPoolExecutor(1, "reader") as reader:
            incoming = reader.submit(self._log.arrow, position, BATCH_EVENTS) if position < head else None
            while incoming is not None and (batch := incoming.result()).num_rows:
                position = batch.column("position")[-1].as_py()
                incoming = reader.submit(self._log.arrow, position, BATCH_EVENTS) if position < head else None
                self._insert(batch)
        return position - begin

    def _insert(self, incoming: "Table") -> None:
        """The rows of one batch of events, and their position."""
        import duckdb

        connection = self._connection
        last = incoming.slice(incoming.num_rows - 1)
        types = set(incoming.column("type").unique().to_pylist())
        fills = [fill for fill in schema.load().fill if not fill.types or fill.types & types]
        self._prepare(fills)
        connection.execute("BEGIN TRANSACTION")
        try:
            # Not a registered view: each one changes the catalogue, and with it what was prepared is void.
            arrived = connection.from_arrow(incoming).project(schema.PARSED).project(schema.ARRIVED)
            arrived.insert_into("temp.main.batch")
            for fill in fills:
                connection.execute(f"EXECUTE {fill.name}")
            connection.execute("DELETE FROM batch")
            folded = [last.column(name)[0].as_py() for name in ("position", "chain_hash")]
            reach("projection.batch")
            connection.execute("UPDATE facts.folded SET position = ?, chain_hash = ?", folded)
            self._unwritten += incoming.num_rows  # before it is true: who is interrupted just after must still write
            connection.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.Error):
                connection.execute("ROLLBACK")
            raise
        if self._unwritten >= CHECKPOINT_EVENTS:
            self._write()

    def _copy_texts(self) -> None:
        """Have the table `texts` hold every text that the folded events refer to."""
        import duckdb
        import pyarrow

        connection = self._connection
        try:
            connection.execute("BEGIN TRANSACTION")
            new = [name for (name,) in connection.execute(schema.NEW_TEXTS).fetchall()]
            for start in range(0, len(new), TEXTS_AT_ONCE):
                found = self._log.texts(new[start : start + TEXTS_AT_ONCE])
                columns = {"sha256": list(found), "text": list(found.values())}
                connection.from_arrow(pyarrow.table(columns)).insert_into("texts")
            connection.execute("UPDATE facts.texts_copied SET position = ?", [self.position])
            self._unwritten += len(new)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.Error):
                connection.execute("ROLLBACK")
            raise

    def _prepare(self, fills: Sequence[schema.Fill]) -> None:
        """Have the statements planned once: of a small batch planning is nearly all the work."""
        if not self._prepared:
            self._connection.execute(schema.BATCH)
        for fill in fills:
            if fill.name not in self._prepared:
                self._connection.execute(f"PREPARE {fill.name} AS {fill.sql}")
                self._prepared.add(fill.name)

    def _write(self) -> None:
        """Let the file have what was committed."""
        if self._unwritten and self._path is not None:
            self._connection.execute(f"CHECKPOINT {database.NAME}")
        self._unwritten = 0


def declare(connection: "DuckDBPyConnection") -> "DuckDBPyConnection":
    """Make the tables in an empty database."""
    statements = schema.load()
    connection.execute("BEGIN TRANSACTION")
    for statement in statements.declare:
        connection.execute(statement)
    connection.execute("INSERT INTO facts.folded VALUES (0, '', ?)", [statements.fingerprint])
    connection.execute("INSERT INTO facts.texts_copied VALUES (0)")
    connection.execute("COMMIT")
    database.lock_down(connection)
    return connection


def statements(sql: str) -> list[str]:
    """The statements of a script. Raises QueryError when it can't be parsed."""
    import duckdb

    _must_be_text(sql)
    try:
        return [statement.query.strip() for statement in duckdb.extract_statements(sql)]
    except duckdb.Error as error:
        raise QueryError(one_line(error)) from error


def _interruptibly(cursor: "DuckDBPyConnection", call: Callable[[], T]) -> T:
    """The call's result. DuckDB does not notice Ctrl-C, so it works in another thread and is told."""
    if threading.current_thread() is not threading.main_thread():
        return call()
    with ThreadPoolExecutor(1, "query") as worker:
        asked = worker.submit(call)
        try:
            return asked.result()
        except KeyboardInterrupt:
            cursor.interrupt()
            raise


def _must_be_text(sql: str) -> None:
    """Raise QueryError for half a character, which DuckDB's Python side takes for a wrong call of itself."""
    try:
        sql.encode()
    except UnicodeEncodeError:
        raise QueryError("the query is not UTF-8 text") from None


def _must_only_read(cursor: "DuckDBPyConnection", sql: str) -> None:
    """Let queries pass, and refuse the rest.

    A read-only transaction is not enough: COPY … TO may write the one file that DuckDB can't be barred from, its own.
    """
    statements = cursor.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"one query at a time; this is {len(statements) or 'none'}")
    kind = statements[0].type.name
    explained = EXPLAIN.match(sql)
    if kind == "EXPLAIN" and explained:
        kind = "".join(s.type.name for s in cursor.extract_statements(sql[explained.end() :]))
    if kind not in ("SELECT", "MULTI"):  # DuckDB makes several statements of a PIVOT
        raise QueryError(f"this is {kind}, not a query; the tables are computed from the log and can't be changed")


def one_line(error: Exception) -> str:
    """DuckDB's message without the excerpt of the query that follows it."""
    return " ".join(str(error).split("\n\nLINE ")[0].split())
