"""Folding the log into tables.

Batch after batch of events goes through the statements of `agent0es.projections.schema`, each batch in a transaction
of its own together with its position. Nothing here writes to the log nor keeps it locked, so nothing is in the way of
a run. Where the tables lie, and who may fold into them, is told in `sharing`.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agent0es.crash_points import reach
from agent0es.errors import StoreError
from agent0es.projections import database, schema

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyarrow import Table

    from agent0es.log import EventLog

BATCH_EVENTS = database.ROW_GROUP
CHECKPOINT_EVENTS = 3 * BATCH_EVENTS
"""After so many events the file gets what was committed."""
TEXTS_AT_ONCE = 2_000


class Fold:
    """Tables that can be written, and the log that they follow."""

    def __init__(
        self, log: "EventLog", make: Callable[[], "DuckDBPyConnection"], found: "DuckDBPyConnection | None" = None
    ) -> None:
        """`make` gives empty tables; `found` are some to go on with."""
        self._log = log
        self._make = make
        self._unwritten = 0 if found else 1
        self._prepared: set[str] = set()
        self.connection = found or make()
        self.position = position_of(self.connection)
        """The last event that the tables hold."""

    def start_anew(self) -> None:
        """Throw the tables away."""
        self.connection.close()
        self._unwritten, self._prepared = 1, set()
        self.connection = self._make()
        self.position = 0

    def follow(self, *, texts: bool = False, progress: Callable[[], None] = lambda: None) -> None:
        """Fold what the log holds now, and copy the texts that it refers to, if they are wanted.

        `progress` is called after each batch. Raises StoreError where the tables can't be made from the log.
        """
        import duckdb

        try:
            self.go_on(texts=texts, progress=progress)
            self._write()
        except duckdb.Error:
            # Damage in the middle of the file shows only here, and a fault of the log shows again in a new fold.
            self.start_anew()
            try:
                self.go_on(texts=texts, progress=progress)
                self._write()
            except duckdb.Error as error:
                raise StoreError(f"the tables can't be made from the log: {database.one_line(error)}") from error

    def close(self) -> None:
        """Let the file have what was committed, and the next one have the file."""
        import duckdb

        with suppress(duckdb.Error):
            self._write()
        self.connection.close()

    def go_on(self, *, texts: bool = False, progress: Callable[[], None] = lambda: None) -> None:
        """The same without the file getting it at once, which takes as long as a small batch does.

        Batch after batch; each is in the tables together with its position, or not at all. Raises what DuckDB raises.
        """
        self.position = position = position_of(self.connection)  # who was interrupted may not know it
        head = self._log.head()  # a run that is going on would never end it
        # The next batch is read while the last one is folded.
        with ThreadPoolExecutor(1, "reader") as reader:
            incoming = reader.submit(self._log.arrow, position, BATCH_EVENTS) if position < head else None
            while incoming is not None and (batch := incoming.result()).num_rows:
                position = batch.column("position")[-1].as_py()
                incoming = reader.submit(self._log.arrow, position, BATCH_EVENTS) if position < head else None
                self._insert(batch)
                self.position = position
                progress()
        if texts:
            self._copy_texts()

    def _copy_texts(self) -> None:
        """Have the table `texts` hold every text that the folded events refer to."""
        import duckdb
        import pyarrow

        connection = self.connection
        try:
            connection.execute("BEGIN TRANSACTION")
            new = [name for (name,) in connection.execute(schema.NEW_TEXTS).fetchall()]
            for start in range(0, len(new), TEXTS_AT_ONCE):
                found = self._log.texts(new[start : start + TEXTS_AT_ONCE])
                columns = {"sha256": list(found), "text": list(found.values())}
                connection.from_arrow(pyarrow.table(columns)).insert_into("texts")
            connection.execute("UPDATE facts.texts_copied SET position = ?", [position_of(connection)])
            self._unwritten += len(new)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.Error):
                connection.execute("ROLLBACK")
            raise

    def _write(self) -> None:
        """Let the file have what was committed."""
        if self._unwritten:
            self.connection.execute(f"CHECKPOINT {database.NAME}")
        self._unwritten = 0

    def _insert(self, incoming: "Table") -> None:
        """The rows of one batch of events, and their position."""
        import duckdb

        connection = self.connection
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

    def _prepare(self, fills: Sequence[schema.Fill]) -> None:
        """Have the statements planned once: of a small batch planning is nearly all the work."""
        if not self._prepared:
            self.connection.execute(schema.BATCH)
        for fill in fills:
            if fill.name not in self._prepared:
                self.connection.execute(f"PREPARE {fill.name} AS {fill.sql}")
                self._prepared.add(fill.name)


def open_file(log: "EventLog", path: Path) -> Fold:
    """Tables in a file, empty ones where it is missing, damaged, of another log or of another version.

    Raises what DuckDB raises where the file can't be used at all, e.g. on a full disk.
    """
    import duckdb

    def make() -> "DuckDBPyConnection":
        database.discard(path)
        return declare(database.connect(path))

    try:
        connection = database.connect(path)
    except duckdb.Error as error:
        if database.is_in_use(error):
            raise
    else:
        if is_usable(log, connection):
            return Fold(log, make, database.lock_down(connection))
        connection.close()
    return Fold(log, make)


def open_copy(log: "EventLog", path: Path, copy: Path) -> Fold | None:
    """The tables of a file that nobody changes meanwhile, in a copy that only this process has; None where they are of
    another log or version. Raises OSError, and what DuckDB raises, where the copy can't be made."""
    connection = database.connect_copy(path, copy)
    if is_usable(log, connection):
        return Fold(log, lambda: declare(database.connect_unnamed(path)), database.lock_down(connection))
    connection.close()
    return None


def open_unnamed(log: "EventLog", beside: Path | None) -> Fold:
    """Empty tables that only this process has, in a file without a name, or in memory."""
    return Fold(log, lambda: declare(database.connect_unnamed(beside) if beside else database.connect(None)))


def is_usable(log: "EventLog", connection: "DuckDBPyConnection") -> bool:
    """Whether the tables can be read, are of this version and hold a beginning of this log."""
    import duckdb

    try:
        row = connection.execute("SELECT position, chain_hash, fingerprint FROM facts.folded").fetchone()
    except duckdb.Error:
        return False
    if row is None or row[2] != schema.fingerprint():
        return False
    position, chain_hash = row[0], row[1]
    return position == 0 or [r.chain_hash for r in log.raw(after=position - 1, until=position)] == [chain_hash]


def position_of(connection: "DuckDBPyConnection") -> int:
    """The last event that the tables hold."""
    row = connection.execute("SELECT position FROM facts.folded").fetchone()
    assert row is not None, "the row is made with the table"
    position: int = row[0]
    return position


def has_texts(connection: "DuckDBPyConnection") -> bool:
    """Whether the table `texts` holds what the folded events refer to."""
    row = connection.execute("SELECT max(position) FROM facts.texts_copied").fetchone()
    return row is not None and row[0] == position_of(connection)


def declare(connection: "DuckDBPyConnection") -> "DuckDBPyConnection":
    """Make the tables in an empty database."""
    connection.execute("BEGIN TRANSACTION")
    for statement in schema.load().declare:
        connection.execute(statement)
    connection.execute("INSERT INTO facts.folded VALUES (0, '', ?)", [schema.fingerprint()])
    connection.execute("INSERT INTO facts.texts_copied VALUES (0)")
    connection.execute("COMMIT")
    return database.lock_down(connection)
