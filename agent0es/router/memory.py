"""What the log remembers for the router: answers by key (the cache), and how earlier attempts went.

Projections of the log in one SQLite file of the store, which may be deleted at any time: it is made again from the log.
Incremental is the same as rebuilt. Several processes may use it. Each look reads first what was appended since.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from agent0es.domain import events as ev
from agent0es.domain.names import ROUTES, Routed, problem_of, read_attempt
from agent0es.errors import StoreError
from agent0es.log import EventLog, RawRow, Recorded
from agent0es.router.latency import Timed

T = TypeVar("T")
MEMORY_FILE = "router.db"
SCHEMA = """
CREATE TABLE IF NOT EXISTS read (what TEXT PRIMARY KEY, position INTEGER NOT NULL, chain_hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, used INTEGER NOT NULL, answered TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS answers_used ON answers (used);
CREATE TABLE IF NOT EXISTS asked (run TEXT, place TEXT, domain TEXT NOT NULL, question TEXT NOT NULL,
    PRIMARY KEY (run, place));
CREATE TABLE IF NOT EXISTS attempts (
    run TEXT, attempt TEXT, place TEXT NOT NULL, who TEXT NOT NULL, model TEXT NOT NULL, read INTEGER NOT NULL,
    written INTEGER NOT NULL, cost REAL, seconds REAL NOT NULL, correct INTEGER, ended INTEGER, signals TEXT,
    sure REAL,
    PRIMARY KEY (run, attempt));
CREATE INDEX IF NOT EXISTS attempts_by_who ON attempts (who, ended);
CREATE INDEX IF NOT EXISTS attempts_by_place ON attempts (place);
CREATE TABLE IF NOT EXISTS unfinished (route TEXT PRIMARY KEY, key TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS unfinished_by_key ON unfinished (key);
"""
VERSION = 3
"""Of the tables. A file of another version is made again."""
ATTEMPTS = ("RouteAsked", "ProblemAsked", "EvaluationStarted", "ModelCalled", "Verified", "RouteDecided")
ENDS = ("RouteAsked", "RouteAnswered", "RouteFailed")
ASKED_OTHERWISE = ", asked otherwise"
"""Behind the name of a model that was asked without tools or without worked examples: that tells nothing of it."""
RECENT = 1000
"""Attempts of a model that are looked at: the latest."""
TIMED = 200
"""The same, for how long they took: a machine changes."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An earlier attempt that a verifier judged."""

    attempt: str
    domain: str
    question: str
    correct: bool
    signals: Mapping[str, float | None] | None
    """What the signals said of it; None where they were not asked."""


def who(model: str, adapter: str | None, adapter_run: str | None) -> str:
    """A name for a model with its adapter."""
    return model if adapter is None else f"{model}+{adapter_run}/{adapter}"


class Memory:
    """The file, open. Not safe to use from two threads at a time."""

    def __init__(self, log: EventLog, path: Path, size: int) -> None:
        """`size` is how many answers are kept."""
        self._log, self._path, self._size = log, path, size
        self._connection: sqlite3.Connection | None = None
        self._judged: dict[str, tuple[int, list[Judged]]] = {}
        """Of a model, as of a position of the log."""

    def answer(self, key: str) -> ev.RouteAnswered | None:
        """The answer that is kept under this key, of the log up to now."""
        if not self._size:
            return None

        def look(database: sqlite3.Connection) -> Any:
            self._read_answers(database)
            return database.execute("SELECT answered FROM answers WHERE key = ?", (key,)).fetchone()

        row = self._look(look)
        return None if row is None else ev.RouteAnswered.model_validate_json(row[0])

    def unfinished(self, key: str) -> list[str]:
        """Routes of this key that have no end, the first one first: they are being asked, or were cut off."""

        def look(database: sqlite3.Connection) -> list[Any]:
            self._read_answers(database)
            return database.execute("SELECT route FROM unfinished WHERE key = ? ORDER BY rowid", (key,)).fetchall()

        return [route for [route] in self._look(look)]

    def cost(self, of: str) -> float | None:
        """Mean dollars of the latest attempts of a model, of those whose cost is known; None without any."""
        [[cost]] = self._attempts(
            "SELECT avg(cost) FROM (SELECT cost FROM attempts WHERE who = ? AND ended IS NOT NULL "
            "ORDER BY ended DESC LIMIT ?)",
            (of, RECENT),
        )
        return None if cost is None else float(cost)

    def timed(self, of: str) -> list[Timed]:
        """How long the latest attempts of a model took."""
        rows = self._attempts(
            "SELECT domain, length(question), read, written, seconds FROM attempts JOIN asked USING (run, place) "
            "WHERE who = ? AND ended IS NOT NULL ORDER BY ended DESC LIMIT ?",
            (of, TIMED),
        )
        return [Timed(*row) for row in rows]

    def passed_on(self, local: str, cloud: str, but: str) -> list[tuple[float | None, float | None]]:
        """Of the latest questions to a model, but for the route `but`: how sure its answer was, and what the one behind
        it cost; None where that was not asked, or has no price."""
        return self._attempts(
            "SELECT sure, (SELECT sum(cost) FROM attempts AS other WHERE other.place = own.place "
            "AND other.who = ?) FROM attempts AS own WHERE who = ? AND signals IS NOT NULL AND place <> ? "
            "ORDER BY ended DESC LIMIT ?",
            (cloud, local, but, RECENT),
        )

    def judged(self, of: str, but: str) -> list[Judged]:
        """The latest attempts of a model that were judged, the oldest first.

        Those of practice are not counted: there the worked examples are of the very family; nor those of a base model
        without any; nor those of the route `but`: a verdict on its own answer must not tell how sure it is.
        """

        def look(database: sqlite3.Connection) -> list[Judged]:
            position = self._read_attempts(database)
            known = self._judged.get(of)
            if known is None or known[0] != position:
                rows = database.execute(
                    "SELECT attempt, domain, question, correct, signals FROM attempts JOIN asked USING (run, place) "
                    "WHERE who = ? AND correct IS NOT NULL ORDER BY ended DESC LIMIT ?",
                    (of, RECENT),
                ).fetchall()
                found = [
                    Judged(attempt, domain, question, bool(correct), None if signals is None else json.loads(signals))
                    for attempt, domain, question, correct, signals in reversed(rows)
                ]
                known = self._judged[of] = position, found
            return known[1]

        return [one for one in self._look(look) if not one.attempt.startswith(f"{but}/")]

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):  # it may be damaged
                connection.close()

    def _attempts(self, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        """Rows of what is known of attempts, of the log up to now."""

        def look(database: sqlite3.Connection) -> list[Any]:
            self._read_attempts(database)
            return database.execute(sql, parameters).fetchall()

        return self._look(look)

    def _look(self, look: Callable[[sqlite3.Connection], T]) -> T:
        """What `look` finds, in one transaction. A file that was deleted or damaged, also while it is open, is made
        again. Raises StoreError where that is not possible, and where another process does not let go of it."""
        if self._connection is not None and not self._path.exists():
            self.close()
        try:
            try:
                return self._once(look)
            except sqlite3.DatabaseError as error:
                self.close()
                if "locked" in str(error):
                    raise
                self._remove()
                return self._once(look)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise StoreError(f"{self._path} can't be used ({error}); it may be deleted, and is made again") from None

    def _once(self, look: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            if not self._path.exists():
                self._remove()  # what is left beside it is of another
            self._connection = self._opened()
        database = self._connection
        database.execute("BEGIN IMMEDIATE")
        try:
            found = look(database)
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise
        return found

    def _remove(self) -> None:
        for name in (self._path, *(self._path.with_name(f"{self._path.name}-{end}") for end in ("wal", "shm"))):
            with suppress(FileNotFoundError):
                name.unlink()

    def _opened(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=30.0, isolation_level=None, check_same_thread=False)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")  # what a crash spoils is made again
        if database.execute("PRAGMA user_version").fetchone()[0] not in (0, VERSION):
            database.close()
            raise sqlite3.DatabaseError("of another version")
        database.executescript(SCHEMA)
        database.execute(f"PRAGMA user_version = {VERSION}")
        for what, position, chain_hash in database.execute("SELECT * FROM read").fetchall():
            row = next(self._log.raw(after=position - 1, until=position), None)
            if row is None or row.chain_hash != chain_hash:
                database.close()
                raise sqlite3.DatabaseError(f"the {what} are of another log")
        return database

    def _read_answers(self, database: sqlite3.Connection) -> None:
        last: Recorded | None = None
        added = False
        for last in self._log.read(run=ROUTES, types=ENDS, after=_position(database, "answers")):
            event = last.event
            match event:
                case ev.RouteAsked():
                    database.execute("INSERT INTO unfinished VALUES (?, ?)", (event.route, event.key))
                case ev.RouteFailed():
                    database.execute("DELETE FROM unfinished WHERE route = ?", (event.route,))
                case ev.RouteAnswered():
                    database.execute("DELETE FROM unfinished WHERE key = ?", (event.key,))
                    if event.cached is not None:
                        database.execute("UPDATE answers SET used = ? WHERE key = ?", (last.position, event.key))
                    elif event.verdict is not False:
                        added = True
                        database.execute(
                            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?)",
                            (event.key, last.position, event.model_dump_json()),
                        )
                case _:
                    pass
        if added:
            database.execute(
                "DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY used DESC LIMIT -1 OFFSET ?)",
                (self._size,),
            )
        if last is not None:
            _note(database, "answers", last)

    def _read_attempts(self, database: sqlite3.Connection) -> int:
        """Up to the last event of the log, whose position is returned."""
        after, head = _position(database, "attempts"), self._log.head()
        if head > after:
            for recorded in self._told(after, head):
                _take(database, recorded)
            _note(database, "attempts", next(self._log.raw(after=head - 1, until=head)))
        return head

    def _told(self, after: int, until: int) -> Iterator[Recorded]:
        """Events that tell of attempts: of the router, of evaluations, and of adapters at a run's held-out problems."""
        for run in (ROUTES, *self._log.evaluations()):
            yield from self._log.read(run=run, types=ATTEMPTS, after=after, until=until)
        for run in self._log.runs():
            for row in self._log.raw(run=run, types=["ModelCalled", "Verified"], after=after, until=until):
                if problem_of(row.stream.split("/", 2)[-1], "eval") is not None:  # most are practice, and not parsed
                    yield from self._log.read(after=row.position - 1, until=row.position)


def _position(database: sqlite3.Connection, what: str) -> int:
    row = database.execute("SELECT position FROM read WHERE what = ?", (what,)).fetchone()
    return 0 if row is None else int(row[0])


def _note(database: sqlite3.Connection, what: str, last: Recorded | RawRow) -> None:
    database.execute("INSERT OR REPLACE INTO read VALUES (?, ?, ?)", (what, last.position, last.chain_hash))


def _take(database: sqlite3.Connection, recorded: Recorded) -> None:
    """Add one event."""
    run, event = recorded.run, recorded.event
    match event:
        case ev.RouteAsked():
            _question(database, run, event.route, event.posed.domain, event.posed.description)
            for one in event.candidates:
                place = f"{event.route}/{one.name}"
                _question(database, run, place, "", who("", one.adapter, one.adapter_run))
        case ev.ProblemAsked():
            _question(database, run, str(event.problem), event.posed.domain, event.posed.description)
        case ev.EvaluationStarted():
            alike = event.way.format == "tools" and (event.way.adapter is not None or event.way.shots > 0)
            suffix = who("", event.way.adapter, event.way.adapter_run) + ("" if alike else ASKED_OTHERWISE)
            _question(database, run, "way", "", suffix)
        case ev.ModelCalled() if event.attempt is not None and (at := _places(event.attempt)) is not None:
            known = database.execute("SELECT question FROM asked WHERE run = ? AND place = ?", (run, at[1])).fetchone()
            if known is None:  # of a run: its log has the number of the problem only, and the words in the prompt
                _question(database, run, at[0], "", event.prompt.turns[0].text if event.prompt.turns else "")
            of_run = who("", event.adapter, run) if event.adapter else ASKED_OTHERWISE
            suffix = of_run if known is None else known[0]
            measured: Mapping[str, Any] = recorded.meta.measured
            database.execute(
                "INSERT INTO attempts (run, attempt, place, who, model, read, written, cost, seconds) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET read = read + excluded.read, "
                "written = written + excluded.written, cost = cost + excluded.cost, "
                "seconds = seconds + excluded.seconds",
                (
                    *(run, event.attempt, at[0], event.model + suffix, event.model),
                    *(event.prompt_tokens, event.completion_tokens, measured.get("cost_usd")),
                    measured.get("seconds", 0.0),
                ),
            )
        case ev.Verified():
            correct = event.verification.correct
            database.execute(
                "UPDATE attempts SET ended = ?, correct = ? WHERE run = ? AND attempt = ?",
                (recorded.position, None if correct is None else int(correct), run, event.attempt),
            )
        case ev.RouteDecided() if event.draft is not None:
            sure = event.predicted if event.sure is None else event.sure
            database.execute(
                "UPDATE attempts SET signals = ?, sure = ? WHERE run = ? AND attempt = ?",
                (json.dumps(event.signals, sort_keys=True), sure, run, event.draft),
            )
        case _:
            pass


def _places(attempt: str) -> tuple[str, str] | None:
    """Where the question of an attempt is kept, and where the adapter that answers."""
    named = read_attempt(attempt)
    if isinstance(named, Routed):
        return named.route, f"{named.route}/{named.candidate}"
    problem = problem_of(attempt, "eval")
    return None if problem is None else (str(problem), "way")


def _question(database: sqlite3.Connection, run: str, place: str, domain: str, question: str) -> None:
    database.execute("INSERT OR REPLACE INTO asked VALUES (?, ?, ?, ?)", (run, place, domain, question))
