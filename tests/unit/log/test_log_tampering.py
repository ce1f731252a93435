"""Whatever somebody with the database in his hands changes is found: by `verify`, or where need be by a checkpoint."""

import hashlib
import random
import sqlite3
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from eventsourcing import persistence as es

from agent0es.log import ChainReport, EventLog, NewEvent
from agent0es.log.chain import GENESIS, chain
from agent0es.log.checkpoint import Checkpoint
from tests.support.postgresql import Server
from tests.unit.log.samples import begin, configured, iteration

CHANGES = 1000
COLUMNS = {
    "events": ("seq", "stream", "version", "topic", "run", "event_id", "state", "chain_hash"),
    "texts": ("sha256", "text"),
}


def fill(log: EventLog) -> Checkpoint:
    """Events with and without texts, of two runs, and one of a library aggregate; returns their checkpoint."""
    cause = begin(log)
    for number in range(4):
        texts = configured({"text": f"{number} zäh " * 50, "short": "ü"})
        log.append([NewEvent(f"task/r/{number}", texts, {"seconds": 0.5})], handler="h", cause=cause, handled=True)
        cause = log.append([NewEvent("run/qüer", iteration(number + 1))], handler="h")[0]
    log.recorder.insert_events([es.StoredEvent(str(uuid4()), 1, "module:Class", b"\xff\x00 not text")])
    report = log.verify()
    assert (report.ok, report.events, report.texts) == (True, 10, 4)
    return report.checkpoint


class Attacked:
    """A log in memory that can be put back as it was, in the hands of somebody who dropped its triggers."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.checkpoint = fill(log)
        with log._datastore.engine.connect() as connection:
            self.database: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        self.execute("PRAGMA foreign_keys = OFF")
        self.triggers = self.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        self._drop_triggers()
        self._whole = sqlite3.connect(":memory:")
        self.database.backup(self._whole)

    def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        return self.database.execute(statement, values)

    def restore(self) -> None:
        self._whole.backup(self.database)

    def verify(self, checkpoint: Checkpoint | None = None) -> ChainReport:
        """What is found when he has made the triggers again."""
        for _name, sql in self.triggers:
            self.execute(sql)
        try:
            return self.log.verify(checkpoint)
        finally:
            self._drop_triggers()

    def _drop_triggers(self) -> None:
        for name, _sql in self.triggers:
            self.execute(f"DROP TRIGGER {name}")

    def forget_the_end(self) -> None:
        """What SQLite keeps of positions that were given."""
        self.execute("UPDATE sqlite_sequence SET seq = (SELECT coalesce(max(seq), 0) FROM events)")


@pytest.fixture(scope="module")
def attacked() -> Iterator[Attacked]:
    with EventLog.open(":memory:") as log:
        yield Attacked(log)


@pytest.fixture(autouse=True)
def _restored(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "attacked" in request.fixturenames:
        request.getfixturevalue("attacked").restore()


def changed(value: int | bytes, chance: random.Random) -> int | bytes:
    """With one byte changed."""
    if isinstance(value, int):
        return value ^ chance.randrange(1, 256)
    place = chance.randrange(len(value))
    return value[:place] + bytes([value[place] ^ chance.randrange(1, 256)]) + value[place + 1 :]


def test_a_thousand_changed_bytes_are_found(attacked: Attacked) -> None:
    chance = random.Random(20261125)
    tried = {(table, column): 0 for table, columns in COLUMNS.items() for column in columns}
    while sum(tried.values()) < CHANGES:
        table, column = chance.choice(list(tried))
        rows = attacked.execute(
            f"SELECT rowid, typeof({column}), CAST({column} AS BLOB), {column} IS NULL FROM {table}"
        )
        rowid, kind, value, is_null = chance.choice(rows.fetchall())
        if is_null:
            continue
        new = changed(int(value) if kind == "integer" else value, chance)
        cast = "CAST(? AS TEXT)" if kind == "text" else "?"
        try:
            attacked.execute(f"UPDATE {table} SET {column} = {cast} WHERE rowid = ?", new, rowid)
        except sqlite3.IntegrityError:  # another row has this key
            continue
        report = attacked.verify()
        assert not report.ok, f"{table}.{column} of row {rowid}: {value!r} became {new!r}"
        assert report.problem
        assert "\n" not in report.finding
        attacked.restore()
        tried[table, column] += 1
    assert min(tried.values()) > 50
    assert attacked.verify().ok


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET version = CAST(version AS TEXT) || '.0x' WHERE seq = 3",
        "UPDATE events SET stream = CAST(stream AS BLOB) WHERE seq = 3",
        "UPDATE events SET run = NULL WHERE seq = 3",
        "UPDATE events SET event_id = NULL WHERE seq = 3",
        "UPDATE events SET run = NULL, event_id = NULL WHERE seq = 3",
        "UPDATE events SET run = 'r' WHERE seq = 10",
        "UPDATE events SET event_id = 'x' WHERE seq = 10",
        "UPDATE events SET chain_hash = upper(chain_hash) || ' ' WHERE seq = 3",
        "UPDATE events SET state = '' WHERE seq = 3",
        "UPDATE events SET state = CAST(state AS BLOB) WHERE seq = 3",
    ],
)
def test_other_changes_of_a_row_are_found(attacked: Attacked, statement: str) -> None:
    attacked.execute(statement)
    report = attacked.verify()
    assert (report.ok, report.first_bad) == (False, int(statement.split()[-1]))


@pytest.mark.parametrize("position", range(1, 11))
def test_a_deleted_event_is_found(attacked: Attacked, position: int) -> None:
    attacked.execute("DELETE FROM events WHERE seq = ?", position)
    report = attacked.verify()
    assert (report.ok, report.first_bad) == (False, position)


def test_a_deleted_text_is_found(attacked: Attacked) -> None:
    for (name,) in attacked.execute("SELECT sha256 FROM texts").fetchall():
        attacked.execute("DELETE FROM texts WHERE sha256 = ?", name)
        assert attacked.verify().problem == f"text {name} is missing"
        attacked.restore()


@pytest.mark.parametrize("column", ["text", "sha256"])
def test_a_text_that_is_bytes_now_is_found(attacked: Attacked, column: str) -> None:
    """SQLite's columns take any type: its readers would meet bytes where text was written."""
    attacked.execute(f"UPDATE texts SET {column} = CAST({column} AS BLOB) WHERE rowid = 2")
    assert "was changed" in attacked.verify().problem


def test_an_unused_text_that_is_no_text_is_found(attacked: Attacked) -> None:
    data = b"\xff is no UTF-8"
    attacked.execute("INSERT INTO texts VALUES (?, CAST(? AS TEXT))", hashlib.sha256(data).hexdigest(), data)
    assert "was changed" in attacked.verify().problem


def test_swapped_rows_are_found(attacked: Attacked) -> None:
    columns = [("seq",), ("state",), ("state", "chain_hash"), ("topic", "event_id", "state", "chain_hash")]
    for a in range(1, 11):
        for b in range(a + 1, 11):
            for swapped in columns:
                rows = {
                    seq: values
                    for seq, *values in attacked.execute(f"SELECT seq, {', '.join(swapped)} FROM events").fetchall()
                    if seq in (a, b)
                }
                if swapped == ("seq",):
                    for old, place in ((a, 99), (b, a), (99, b)):
                        attacked.execute("UPDATE events SET seq = ? WHERE seq = ?", place, old)
                else:
                    attacked.execute("UPDATE events SET event_id = NULL WHERE seq IN (?, ?)", a, b)
                    for seq, other in ((a, b), (b, a)):
                        assignments = ", ".join(f"{name} = ?" for name in swapped)
                        attacked.execute(f"UPDATE events SET {assignments} WHERE seq = ?", *rows[other], seq)
                report = attacked.verify()
                assert (report.ok, report.first_bad) == (False, a), f"{swapped} of {a} and {b}"
                attacked.restore()


def test_swapped_texts_are_found(attacked: Attacked) -> None:
    (a, text_a), (b, text_b) = attacked.execute("SELECT sha256, text FROM texts LIMIT 2").fetchall()
    attacked.execute("UPDATE texts SET text = ? WHERE sha256 = ?", text_b, a)
    attacked.execute("UPDATE texts SET text = ? WHERE sha256 = ?", text_a, b)
    assert "was changed" in attacked.verify().problem


def test_inserted_events_are_found(attacked: Attacked) -> None:
    for place in range(1, 12):
        attacked.execute("UPDATE events SET seq = seq + 1000 WHERE seq >= ?", place)
        attacked.execute("UPDATE events SET seq = seq - 999 WHERE seq > 1000")
        attacked.execute(
            "INSERT INTO events SELECT ?, 'task/r/new', 1, topic, run, event_id, state, chain_hash FROM events "
            "WHERE seq = (SELECT max(seq) FROM events WHERE seq < 10)",
            place,
        )
        report = attacked.verify()
        assert (report.ok, report.first_bad) == (False, place)
        attacked.restore()
    attacked.execute("INSERT INTO texts VALUES ('00', 'a text of another hash')")
    assert attacked.verify().problem == "text 00 was changed"


@pytest.mark.parametrize("kept", range(10))
def test_a_cut_end_is_found_with_a_checkpoint(attacked: Attacked, kept: int) -> None:
    attacked.execute("DELETE FROM events WHERE seq > ?", kept)
    assert attacked.verify().first_bad == kept + 1, "SQLite knows what positions it gave"
    attacked.forget_the_end()
    if 0 < kept < 8:
        assert "is marked as done" in attacked.verify().problem, "marks know of more"
    attacked.execute("DELETE FROM handled WHERE committed > ?", kept)
    assert attacked.verify().ok
    report = attacked.verify(attacked.checkpoint)
    assert (report.ok, report.first_bad) == (False, kept + 1)
    assert "the checkpoint was made of 10 events" in report.problem


def rewrite(attacked: Attacked, change: Callable[[int, bytes], bytes]) -> None:
    """Every hash anew over changed states."""
    previous = GENESIS
    rows = attacked.execute("SELECT seq, stream, version, topic, CAST(state AS BLOB) FROM events ORDER BY seq")
    for seq, stream, version, topic, state in rows.fetchall():
        new = change(seq, state)
        previous = chain(previous, stream, version, topic, new)
        cast = "CAST(? AS TEXT)" if seq != 10 else "?"
        attacked.execute(f"UPDATE events SET state = {cast}, chain_hash = ? WHERE seq = ?", new, previous, seq)


@pytest.mark.parametrize("position", range(1, 10))
def test_a_log_that_was_written_anew_is_found_with_a_checkpoint(attacked: Attacked, position: int) -> None:
    rewrite(attacked, lambda seq, state: state.replace(b'"handler":"', b'"handler":"g') if seq == position else state)
    assert attacked.verify().ok
    report = attacked.verify(attacked.checkpoint)
    assert not report.ok
    assert "rewritten" in report.problem


def test_a_log_goes_on_after_a_checkpoint(attacked: Attacked) -> None:
    begin(attacked.log, "later")
    assert attacked.verify(attacked.checkpoint).ok
    assert attacked.verify(attacked.verify().checkpoint).ok


def test_a_hundred_changes_are_found_on_a_server(postgresql: Server) -> None:
    import psycopg

    chance = random.Random(20261125)
    url = postgresql.new_url()
    with EventLog.open(url) as log, psycopg.connect(url, autocommit=True) as database:
        checkpoint = fill(log)
        database.execute("SET session_replication_role = replica")  # no trigger goes off for this session
        found = 0
        while found < 100:
            table = chance.choice(list(COLUMNS))
            column = chance.choice(COLUMNS[table])
            query = f"SELECT ctid::text, {column} FROM {table} WHERE {column} IS NOT NULL"
            ctid, old = chance.choice(database.execute(query).fetchall())  # type: ignore[arg-type]
            new = old
            while new == old:  # columns of text hold nothing but text there
                value = changed(old.encode() if isinstance(old, str) else old, chance)
                new = value.decode(errors="ignore").replace("\0", "x") if isinstance(old, str) else value
            statement = f"UPDATE {table} SET {column} = %s WHERE ctid = %s RETURNING ctid::text"
            try:
                [[place]] = database.execute(statement, [new, ctid]).fetchall()  # type: ignore[arg-type]
            except psycopg.IntegrityError:
                continue
            report = log.verify()
            assert not report.ok, f"{table}.{column}: {old!r} became {new!r}"
            database.execute(statement, [old, place])  # type: ignore[arg-type]
            found += 1
        assert log.verify(checkpoint).ok
        database.execute("DELETE FROM events WHERE seq > 8")
        assert log.verify().ok
        assert log.verify(checkpoint).first_bad == 9
