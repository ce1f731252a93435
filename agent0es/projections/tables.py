"""The tables as commands use them: kept in the store's file, of which anybody may have a look at any time.

Whoever needs tables up to an event opens the file and reads; who finds it behind brings it up to date, for all
(`sharing`). Who finds it behind a third time follows the log. It would open, write and give back the file for every few
events, so it takes a copy and goes on in that, and others have the file meanwhile. Where there is no such file, or it
can't be had, tables are folded into a file without a name, which is gone with the process, or in memory. All run the
same statements over the same events, so all give the same answers.
"""

import os
import re
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, NamedTuple, Self

from agent0es.errors import QueryError, StoreError, UserError
from agent0es.projections import database, fold, schema, sharing
from agent0es.projections.queries import Answer, Parameters, Queries

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyarrow import RecordBatchReader

    from agent0es.log import EventLog

PROJECTIONS_FILE = "projections.duckdb"

COPY_EVENTS = database.ROW_GROUP
"""A copy that has gone on by so many events is thrown away, and the file brought up to date: who comes later has no
more of them to fold. That they are folded twice costs less than to give the file back again and again."""

DAMAGE = re.compile("Corrupt database file|Could not read enough bytes|database has been invalidated")
"""DuckDB's words for a file that is not what was written."""


class Look(NamedTuple):
    """A connection to tables that others may have too."""

    connection: "DuckDBPyConnection"
    queries: Queries
    own: fold.Fold | None = None
    """Set where nobody else has these tables; what follows is of a file that others may have open, too."""
    lock: IO[str] | None = None
    """Keeps others from changing the file in place."""
    version: os.stat_result | None = None
    """Of the file, when it was opened."""
    opened_at: int = 0
    """The last event that it held."""

    @property
    def position(self) -> int:
        """The last event that the tables hold."""
        return self.own.position if self.own else self.opened_at

    def holds(self, head: int, texts: bool) -> bool:
        """Whether the tables hold the events up to a position, and the texts that they refer to."""
        return self.position >= head and (not texts or fold.has_texts(self.connection))

    def is_of(self, version: os.stat_result) -> bool:
        """Whether the file is still the one that was opened."""
        known = self.version
        return known is not None and os.path.samestat(known, version) and known.st_mtime_ns == version.st_mtime_ns

    def close(self) -> None:
        self.queries.close()
        if self.lock is not None:
            self.lock.close()


class Projections:
    """The tables of `agent0es.projections.schema`, folded from a log."""

    def __init__(self, log: "EventLog", path: Path | None) -> None:
        """Use `open`."""
        self._log = log
        self._path = path
        self._own: fold.Fold | None = None
        self._alone = False
        """Whether the file can't be had. Then all tables are our own; else those of a copy are, while there is one."""
        self._caught_up = 0
        """What the file held when it was last brought up to date here, but for the first time."""
        self._look: Look | None = None
        self._unfinished: list[Look] = []

    @classmethod
    def open(cls, log: "EventLog", path: Path | None = None) -> "Projections":
        """Tables in the file at `path`, which any number of processes may have open; or in memory.

        A file that can't be read, or was made from another log or by another version, is deleted and rebuilt. One whose
        name DuckDB can't open, with a `?` in it, is not used.
        """
        path = path and path.absolute()  # a relative one may begin like a URL
        tables = cls(log, path)
        if path is None or not database.takes(path):
            tables._be_alone()
        return tables

    @property
    def kept(self) -> bool:
        """True when the next process finds what was folded."""
        return self._own is None

    @property
    def position(self) -> int:
        """The last event that the tables hold."""
        return self._tables().position

    def catch_up(self) -> int:
        """Have tables that hold all that the log holds now. Returns how many events they had not held before.

        Raises StoreError where they can't be made from the log.
        """
        again = self._look is not None
        before = self.position if self._holds(0) else 0
        self._follow(self._log.head())
        if again and self.kept:
            self._caught_up = self.position
        return self.position - before

    def rebuild(self) -> int:
        """Throw the tables away and fold the log from its first event. Returns how many events it has."""
        self._follow(self._log.head(), anew=True)
        return self.position

    def query(self, sql: str, parameters: Parameters = (), *, seconds: float | None = None) -> Answer:
        """Run one SELECT, as `Queries.query` describes it."""
        return self._asked(sql).query(sql, parameters, seconds=seconds)

    def arrow(self, sql: str, *, seconds: float | None = None) -> "RecordBatchReader":
        """The same, as Arrow batches, as `Queries.arrow` describes it."""
        return self._asked(sql).arrow(sql, seconds=seconds)

    def close(self) -> None:
        """Let go of the tables; answers that were not read to their end can't be read any more."""
        for look in (*self._unfinished, *([self._look] if self._look else [])):
            look.close()
        self._unfinished, self._look = [], None
        if self._own is not None:
            self._own.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _asked(self, sql: str) -> Queries:
        """Where the query may run: at tables with texts, if it names those."""
        if schema.TEXTS.search(sql):
            self._follow(self.position, texts=True)
        return self._tables().queries

    def _tables(self) -> Look:
        """The tables as they are, wherever."""
        if self._look is None:
            self._follow(0)
        assert self._look is not None, "following opens them"
        return self._look

    def _follow(self, head: int, *, texts: bool = False, anew: bool = False) -> None:
        """Have tables that hold the events up to a position at least."""
        if not self._alone and self._path is not None:
            try:
                if not anew and (self._holds(head, texts) or self._goes_on(head, texts)):
                    return
                with sharing.owning(self._path) as owner:
                    # Who was the owner meanwhile has perhaps done it.
                    if not anew and self._holds(head, texts):
                        return
                    self._let_go()  # perhaps nobody else reads
                    self._write(owner, head, texts, anew)
                    if self._holds(head, texts):
                        return
            except (sharing.Unavailable, OSError):
                pass
            self._be_alone()
        assert self._own is not None, "there is a file, or tables of our own"
        if anew:
            self._let_go()
            self._own.start_anew()
        try:
            if head and (anew or self._look is None or not self._look.holds(head, texts)):
                self._own.follow(texts=texts)
        finally:
            if self._look is None or self._look.connection is not self._own.connection:
                self._take(self._own)

    def _write(self, owner: sharing.Owner, head: int, texts: bool, anew: bool) -> None:
        """Bring the file up to date, as its owner: in place, or beside those who look with DuckDB itself."""
        import duckdb

        for in_place in (True, False):
            try:
                with owner.writing(in_place=in_place) as file, closing(fold.open_file(self._log, file)) as tables:
                    if anew:
                        tables.start_anew()
                    if head:
                        tables.follow(texts=texts, progress=owner.progress)
                return
            except duckdb.Error as error:
                if not database.is_in_use(error):
                    raise sharing.Unavailable(str(error)) from error

    def _goes_on(self, head: int, texts: bool) -> bool:
        """Whether this process follows the log, in a copy of the file, and has folded the events up to a position."""
        import duckdb

        assert self._path is not None, "there is a file"
        own = self._own
        if self._look is None or not 0 < self._caught_up < head <= self._caught_up + COPY_EVENTS:
            if own is not None:
                self._let_go()
            return False
        try:
            if own is None:  # nobody changes the file in place while we look at it
                own = fold.open_copy(self._log, self._path, sharing.copy_name(self._path))
                self._let_go()
                if own is None:
                    return False
                self._take(own)
            own.go_on(texts=texts)
        except (OSError, duckdb.Error):  # no space, or damage, which who owns the file will find and mend
            self._let_go()
            return False
        return True

    def _be_alone(self) -> None:
        """From here on have tables that no other process sees."""
        self._let_go()
        self._alone = True
        self._own = fold.open_unnamed(self._log, self._path)

    def _take(self, own: fold.Fold) -> None:
        """Look at tables of our own."""
        self._own = own
        self._look = Look(own.connection, Queries(own.connection, self._refusal), own)

    def _holds(self, head: int, texts: bool = False) -> bool:
        """Whether the tables that are open hold what is wanted, or else those in the file as it is now."""
        if self._look is None or not self._look.holds(head, texts):
            self._look_again()
        return self._look is not None and self._look.holds(head, texts)

    def _look_again(self) -> None:
        """Open the file as it is now, if it can be read, nobody changes it and it is not the one that is open."""
        import duckdb

        if self._path is None or self._own is not None or (lock := sharing.reading(self._path)) is None:
            return
        try:
            version = self._path.stat()
            if self._look is not None and self._look.is_of(version):
                lock.close()
                return
            connection = database.connect_reading(self._path, sharing.spill_folder(self._path))
        except (OSError, duckdb.Error):
            lock.close()
            return
        queries = Queries(connection, self._refusal)
        if fold.is_usable(self._log, connection):
            position = fold.position_of(database.lock_down(connection))
            self._let_go()
            self._look = Look(connection, queries, lock=lock, version=version, opened_at=position)
        else:
            queries.close()
            lock.close()

    def _let_go(self) -> None:
        """Close what is open, or keep it aside while somebody may read from it. A copy goes with it."""
        if self._look is not None:
            if self._look.queries.unfinished:
                self._unfinished.append(self._look)
            else:
                self._look.close()
        self._look = None
        if not self._alone:
            self._own = None

    def _refusal(self, error: Exception) -> UserError:
        """What to tell the user. A file with damaged blocks is deleted at once."""
        import duckdb

        if not self._alone and self._path is not None and DAMAGE.search(str(error)):
            self._let_go()  # a copy of it too
            database.discard(self._path)
            return StoreError(f"{self._path} was damaged and has been deleted; run the command again to rebuild it")
        if isinstance(error, duckdb.InterruptException):
            return QueryError("the query took too long and was stopped; ask for less, or allow more with --timeout")
        if isinstance(error, duckdb.OutOfMemoryException):  # whose advice is settings that can't be changed
            return QueryError("the query needs more memory, or more room on disk, than it may have; ask for less")
        return QueryError(database.one_line(error))
