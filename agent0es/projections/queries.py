"""Questions to tables that are folded: one query at a time, which can't change anything nor reach the machine.

A connection to a file that others may replace stays with the version that it opened, so the answers of one `Queries`
belong together.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from agent0es.errors import QueryError, UserError
from agent0es.projections import database, permitted, values
from agent0es.projections.clock import Clock, interruptibly

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Statement
    from pyarrow import RecordBatch, RecordBatchReader

ROWS_AT_ONCE = 2_048
"""As many as DuckDB computes together. Rows may be long."""
PARSED = 100
"""Queries that are kept parsed: a page asks the same dozen again and again, and parsing takes a tenth of their time."""
SHORT = 10_000
"""Characters of a query that is kept."""

T = TypeVar("T")
Parameters = Sequence[Any] | Mapping[str, Any]

TREE = "SELECT json_serialize_sql($sql::VARCHAR, skip_default := true, skip_empty := true, skip_null := true)"
NOT_A_TREE = '{"error":true'
ONLY_TABLE_FUNCTIONS = """
SELECT function_name FROM duckdb_functions() GROUP BY ALL HAVING bool_and(function_type IN ('table', 'table_macro'))
"""

EXPLAIN = re.compile(r"\s*EXPLAIN\s+(ANALYZE\s+)?(\([^)]*\)\s*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave."""

    columns: list[str]
    types: list[str]
    """DuckDB's name of each column's type."""
    rows: Iterator[tuple[Any, ...]]
    """Read once. Raises QueryError when a row can't be computed."""


class Queries:
    """Asks one connection."""

    def __init__(self, connection: "DuckDBPyConnection", refusal: Callable[[Exception], UserError]) -> None:
        """`refusal` says what to tell the user where DuckDB fails."""
        self._connection = connection
        self._refusal = refusal
        self._cursors: set[DuckDBPyConnection] = set()
        self._parsed: dict[str, Statement] = {}

    @property
    def unfinished(self) -> bool:
        """Whether somebody may still read rows of an answer."""
        return bool(self._cursors)

    def query(self, sql: str, parameters: Parameters = (), *, seconds: float | None = None) -> Answer:
        """Run one SELECT (also SHOW, DESCRIBE, SUMMARIZE, PIVOT, EXPLAIN), which can't change anything.

        Each `?` in it stands for a parameter, or each `$name` for one of a mapping. Raises QueryError with DuckDB's
        words on one line, also where computing the rows takes longer than `seconds`.
        """
        cursor, statement = self._cursor(sql)
        clock = Clock(cursor, seconds)
        with self._refused(cursor):
            with clock.running():
                interruptibly(cursor, lambda: cursor.execute(statement, parameters))
            columns = [column[0] for column in cursor.description or ()]
            kinds = [column[1] for column in cursor.description or ()]
            textual = values.as_text(sql, kinds)
            if textual is not None:
                cursor.abort()
                with clock.running():
                    interruptibly(cursor, lambda: cursor.execute(textual, parameters))
            readers = [*map(values.reader, kinds)]
            return Answer(columns, [str(kind) for kind in kinds], self._rows(cursor, readers, clock))

    def arrow(self, sql: str, *, seconds: float | None = None) -> "RecordBatchReader":
        """The same, as Arrow batches. Reading them raises what pyarrow raises, and QueryError."""
        import pyarrow

        cursor, _ = self._cursor(sql)
        clock = Clock(cursor, seconds)
        with self._refused(cursor), clock.running():
            reader = cursor.sql(sql).to_arrow_reader(ROWS_AT_ONCE)

        def batches() -> "Iterator[RecordBatch]":
            with self._refused(cursor):
                yield from clock.steps(iter(reader))
            self._finished(cursor)

        return pyarrow.RecordBatchReader.from_batches(reader.schema, batches())

    def close(self) -> None:
        """Take back what was asked and not read; the connection too."""
        for cursor in self._cursors:
            cursor.close()
        self._cursors.clear()
        self._connection.close()

    def _cursor(self, sql: str) -> "tuple[DuckDBPyConnection, Statement]":
        """Where the query may run, and the query, parsed. Raises QueryError for what is no query."""
        cursor = self._connection.cursor()
        with self._refused(cursor):
            database.enter(cursor)
            statement = self._parsed.get(sql) or self._parse(cursor, sql)
            # The file itself may be written by this connection, but not by this transaction.
            cursor.execute("BEGIN TRANSACTION READ ONLY")
        self._cursors.add(cursor)
        return cursor, statement

    def _parse(self, cursor: "DuckDBPyConnection", sql: str) -> "Statement":
        _must_be_text(sql)
        statement, query = _only_reading(cursor, sql)
        _must_name_only_what_it_may(cursor, query)
        if len(sql) <= SHORT:
            if len(self._parsed) == PARSED:
                del self._parsed[next(iter(self._parsed))]
            self._parsed[sql] = statement
        return statement

    @contextmanager
    def _refused(self, cursor: "DuckDBPyConnection") -> Iterator[None]:
        """Turn what DuckDB raises into one line for the user; the cursor is closed then."""
        import duckdb

        try:
            yield
        except (duckdb.Error, QueryError, OSError, ValueError) as error:
            self._finished(cursor)
            if isinstance(error, QueryError):
                raise
            raise self._refusal(error) from error

    def _rows(
        self, cursor: "DuckDBPyConnection", readers: "Sequence[values.Reader | None]", clock: Clock
    ) -> Iterator[tuple[Any, ...]]:
        """The rows as Python values, some thousands at a time."""
        changed = any(readers)
        with self._refused(cursor):
            pages = iter(lambda: interruptibly(cursor, lambda: cursor.fetchmany(ROWS_AT_ONCE)), [])
            for rows in clock.steps(pages):
                if changed:
                    for row in rows:
                        yield tuple(read(v) if read else v for read, v in zip(readers, row, strict=True))
                else:
                    yield from rows
        self._finished(cursor)

    def _finished(self, cursor: "DuckDBPyConnection") -> None:
        cursor.close()
        self._cursors.discard(cursor)


def statements(sql: str) -> list[str]:
    """The statements of a script. Raises QueryError when it can't be parsed."""
    import duckdb

    _must_be_text(sql)
    try:
        return [statement.query.strip() for statement in duckdb.extract_statements(sql)]
    except duckdb.Error as error:
        raise QueryError(database.one_line(error)) from error


def _must_be_text(sql: str) -> None:
    """Raise QueryError for half a character, which DuckDB's Python side takes for a wrong call of itself."""
    try:
        sql.encode()
    except UnicodeEncodeError:
        raise QueryError("the query is not UTF-8 text") from None


def _only_reading(cursor: "DuckDBPyConnection", sql: str) -> "tuple[Statement, str]":
    """Let a query pass, and refuse the rest. It is parsed, and then its text without an EXPLAIN before it.

    A read-only transaction is not enough: COPY … TO may write the one file that DuckDB can't be barred from, its own.
    """
    statements = cursor.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"one query at a time; this is {len(statements) or 'none'}")
    kind, query = statements[0].type.name, sql
    explained = EXPLAIN.match(sql)
    if kind == "EXPLAIN" and explained:
        query = sql[explained.end() :]
        kind = "".join(s.type.name for s in cursor.extract_statements(query))
    if kind not in ("SELECT", "MULTI"):  # DuckDB makes several statements of a PIVOT
        raise QueryError(f"this is {kind}, not a query; the tables are computed from the log and can't be changed")
    return statements[0], query


def _must_name_only_what_it_may(cursor: "DuckDBPyConnection", query: str) -> None:
    """Raise QueryError for functions and views that tell more than the tables, or do something."""
    [(tree,)] = cursor.execute(TREE, {"sql": query}).fetchall()
    if tree.startswith(NOT_A_TREE):
        names = {name for (name,) in cursor.execute(ONLY_TABLE_FUNCTIONS).fetchall()}
        permitted.must_say_only_permitted(query, names)
    else:
        permitted.must_be_permitted(tree)
