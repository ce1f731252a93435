"""Folding the log into DuckDB tables, and asking them questions.

A DuckDB file that is open for writing shuts out every other process, readers too. So the file is a cache that one
process has at a time, behind a lock file; a process that finds it taken, or can't write the folder, folds the whole
log into memory instead. Both ways run the same statements over the same events, so both give the same answers; the
second only takes longer (about 40 µs an event). Neither writes to the log nor keeps it locked, so neither is in the
way of a run.
"""

import fcntl
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from agent0es.crash_points import reach
from agent0es.errors import QueryError, StoreError, UserError
from agent0es.projections import schema

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation
    from pyarrow import Array, Table

    from agent0es.log import EventLog

PROJECTIONS_FILE = "projections.duckdb"
BATCH_EVENTS = 20_000
ROWS_AT_ONCE = 10_000

CONNECTION: Mapping[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
    "python_enable_replacements": "false",
}
"""Nothing is downloaded; no statement reads or writes files of the machine or variables of this process."""

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
        self._lock = lock
        self._cursors: set[DuckDBPyConnection] = set()
        self._connection = self._connect()

    @classmethod
    def open(cls, log: "EventLog", path: Path | None = None) -> "Projections":
        """Tables in the file at `path`, or in memory without one or while another process has it.

        A file that can't be read, or was made from another log or by another version, is thrown away and made anew.
        """
        lock = _take(path) if path is not None else None
        return cls(log, path if lock is not None else None, lock)

    @property
    def in_memory(self) -> bool:
        """True when nothing is kept for the next process."""
        return self._path is None

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
            # Damage in the middle of the file shows only here, and a fault of the log shows again when folded anew.
            return self.rebuild()

    def rebuild(self) -> int:
        """Throw the tables away and fold the log from its first event. Returns how many events it has."""
        import duckdb

        self._connection.close()
        if self._path is not None:
            _discard(self._path)
        self._connection = self._connect()
        try:
            return self._fold()
        except duckdb.Error as error:
            raise StoreError(f"the log can't be folded into tables: {one_line(error)}") from error

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> Answer:
        """Run one SELECT (also SHOW, DESCRIBE, SUMMARIZE, PIVOT, EXPLAIN), which can't change anything.

        Each `?` in it stands for a parameter. Raises QueryError with DuckDB's words on one line.
        """
        import duckdb

        cursor = self._connection.cursor()
        try:
            _must_only_read(cursor, sql)
            # The file itself may be written by this connection, but not by this transaction.
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            relation = cursor.sql(sql, params=list(parameters) or None)
            if relation is None:
                raise QueryError("the query gives no rows")
            self._cursors.add(cursor)
            return Answer(list(relation.columns), [str(t) for t in relation.types], self._rows(relation, cursor))
        except QueryError:
            cursor.close()
            raise
        except duckdb.Error as error:
            cursor.close()
            raise self._refusal(error) from error

    def close(self) -> None:
        """Write what is left to write and let the next process have the file."""
        for cursor in self._cursors:
            cursor.close()
        self._connection.close()
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _rows(self, relation: "DuckDBPyRelation", cursor: "DuckDBPyConnection") -> Iterator[tuple[Any, ...]]:
        """The relation's rows as Python values, some thousands at a time."""
        import duckdb
        import pyarrow

        try:
            for batch in relation.to_arrow_reader(ROWS_AT_ONCE):
                yield from zip(*(_values(column) for column in batch.columns), strict=True)
        except (duckdb.Error, pyarrow.ArrowException, OSError) as error:
            raise self._refusal(error) from error
        finally:
            cursor.close()
            self._cursors.discard(cursor)

    def _refusal(self, error: Exception) -> UserError:
        """What to tell the user. A file whose blocks turn out to be damaged is thrown away on the spot."""
        if self._path is not None and DAMAGE.search(str(error)):
            _discard(self._path)
            return StoreError(f"{self._path} was damaged and has been deleted; ask again, and it is made anew")
        return QueryError(one_line(error))

    def _connect(self) -> "DuckDBPyConnection":
        """A connection to tables that are right for the log, whatever was in the file."""
        import duckdb

        if self._path is not None:
            with suppress(duckdb.Error, OSError):
                return self._connect_file(self._path)
            self._path = None
        return _declare(duckdb.connect(":memory:", config=dict(CONNECTION)))

    def _connect_file(self, path: Path) -> "DuckDBPyConnection":
        """The same, on the file. Raises what DuckDB raises when the file can't be used at all, e.g. on a full disk."""
        import duckdb

        try:
            connection = duckdb.connect(path, config=dict(CONNECTION))
        except duckdb.Error as error:
            if "Could not set lock" in str(error):  # somebody looks at the file with DuckDB itself
                raise
        else:
            if self._usable(connection):
                return _lock_down(connection)
            connection.close()
        _discard(path)
        return _declare(duckdb.connect(path, config=dict(CONNECTION)))

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
        import duckdb

        connection, count = self._connection, 0
        position = self.position
        head = self._log.head()  # of a run that goes on there would be no end
        while position < head and (incoming := self._log.arrow(after=position, limit=BATCH_EVENTS)).num_rows:
            connection.execute("BEGIN TRANSACTION")
            try:
                self._insert(incoming)
                reach("projection.batch")
                position = incoming.column("position")[-1].as_py()
                chain_hash = incoming.column("chain_hash")[-1].as_py()
                connection.execute("UPDATE facts.folded SET position = ?, chain_hash = ?", [position, chain_hash])
                connection.execute("COMMIT")
            except BaseException:
                with suppress(duckdb.Error):
                    connection.execute("ROLLBACK")
                raise
            count += incoming.num_rows
        return count

    def _insert(self, incoming: "Table") -> None:
        """The rows of one batch of events."""
        connection = self._connection
        connection.register("incoming", incoming)
        connection.execute(schema.BATCH)
        hashes = [row[0] for row in connection.execute(schema.REFERENCED).fetchall()]
        connection.register("texts", _texts({sha256: self._log.text(sha256) for sha256 in hashes}))
        connection.execute(schema.TEXT_OF)
        types = set(incoming.column("type").unique().to_pylist())
        for fill in schema.load().fill:
            if not fill.types or fill.types & types:
                connection.execute(fill.sql)


def _take(path: Path) -> IO[str] | None:
    """The lock of the file at `path`, or None while another process has it or where it can't be written."""
    try:
        lock = path.with_name(path.name + ".lock").open("w")
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def _discard(path: Path) -> None:
    """Delete the file, and what DuckDB keeps beside it."""
    for name in (path, path.with_name(path.name + ".wal")):
        name.unlink(missing_ok=True)


def _declare(connection: "DuckDBPyConnection") -> "DuckDBPyConnection":
    """Make the tables in an empty database."""
    statements = schema.load()
    connection.execute("BEGIN TRANSACTION")
    for statement in statements.declare:
        connection.execute(statement)
    connection.execute("INSERT INTO facts.folded VALUES (0, '', ?)", [statements.fingerprint])
    connection.execute("COMMIT")
    return _lock_down(connection)


def _lock_down(connection: "DuckDBPyConnection") -> "DuckDBPyConnection":
    """From here on no statement can change a setting."""
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute("SET lock_configuration = true")
    return connection


def _texts(texts: Mapping[str, str]) -> "Table":
    import pyarrow

    columns = {"sha256": list(texts), "text": list(texts.values())}
    return pyarrow.table({name: pyarrow.array(values, "string") for name, values in columns.items()})


def _must_only_read(cursor: "DuckDBPyConnection", sql: str) -> None:
    """Let pass what asks; refuse the rest.

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
        raise QueryError(f"only queries are answered, and this is {kind}; the tables follow from the log alone")


def _values(column: "Array[Any]") -> list[Any]:
    """A column as Python values: maps as dicts, and DuckDB's 128-bit integers, which sums are, as integers."""
    import pyarrow

    values: list[Any] = column.to_pylist(maps_as_pydicts="lossy")
    if pyarrow.types.is_decimal(column.type) and column.type.scale == 0:
        return [None if value is None else int(value) for value in values]
    return values


def one_line(error: Exception) -> str:
    """DuckDB's message without the excerpt of the query that follows it."""
    return " ".join(str(error).split("\n\nLINE ")[0].split())
