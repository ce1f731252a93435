from collections.abc import Callable
from pathlib import Path
from sqlite3 import Connection

import pytest

from agent0es.log import EventLog, NewEvent
from agent0es.log.chain import GENESIS, chain
from tests.unit.log.samples import begin, configured, new, tampering


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log.db"
    with EventLog.open(path) as log:
        cause = begin(log)
        for number in range(9):
            event = configured({"text": "x" * (300 + number)})
            log.append([NewEvent(f"task/r/{number}", event)], handler="h", cause=cause)
        assert log.verify().ok
    return path


def execute(statement: str) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(statement)


def swap_texts(connection: Connection) -> None:
    connection.execute("UPDATE texts SET text = 'other' WHERE length(text) = 303")


@pytest.mark.parametrize(
    ("tamper", "position", "problem"),
    [
        (
            execute("UPDATE events SET state = replace(state, '\"seed\":1', '\"seed\":2') WHERE seq = 4"),
            4,
            "chain hash",
        ),
        (
            execute('UPDATE events SET state = replace(state, \'"handler":"h"\', \'"handler":"g"\') WHERE seq = 4'),
            4,
            "chain hash",
        ),
        (execute("UPDATE events SET stream = 'task/r/x' WHERE seq = 4"), 4, "chain hash"),
        (execute("UPDATE events SET chain_hash = 'x' || substr(chain_hash, 2) WHERE seq = 4"), 4, "chain hash"),
        (execute("UPDATE events SET run = 'q' WHERE seq = 4"), 4, "columns event_id and run"),
        (execute("UPDATE events SET event_id = 'x' WHERE seq = 4"), 4, "columns event_id and run"),
        (execute("DELETE FROM events WHERE seq = 4"), 4, "position 4 is missing"),
        (execute("DELETE FROM events WHERE seq = 1"), 1, "position 1 is missing"),
        (execute("DELETE FROM events WHERE seq >= 9"), 9, "events up to 10 were appended; those after 8 are gone"),
        (execute("DELETE FROM events"), 1, "events up to 10 were appended; those after 0 are gone"),
        (swap_texts, 5, "was changed"),
        (execute("DELETE FROM texts WHERE length(text) = 303"), 5, "is missing"),
    ],
)
def test_a_change_is_found_and_located(
    path: Path, tamper: Callable[[Connection], object], position: int, problem: str
) -> None:
    with tampering(path) as connection:
        tamper(connection)
    with EventLog.open(path) as log:
        report = log.verify()
    assert (report.ok, report.first_bad) == (False, position)
    assert problem in report.problem


def test_a_log_with_a_recomputed_chain_and_wrong_content_hash_is_found(path: Path) -> None:
    with tampering(path) as connection:
        previous = GENESIS
        for seq, stream, version, topic, state in connection.execute(
            "SELECT seq, stream, version, topic, state FROM events ORDER BY seq"
        ).fetchall():
            changed = state.replace('"seed":1', '"seed":2') if seq == 4 else state
            previous = chain(previous, stream, version, topic, changed.encode())
            connection.execute("UPDATE events SET state = ?, chain_hash = ? WHERE seq = ?", (changed, previous, seq))
    with EventLog.open(path) as log:
        report = log.verify()
    assert (report.first_bad, report.problem) == (4, "the content hash does not fit the content")


def test_positions_that_were_cut_off_are_not_given_again(path: Path) -> None:
    with tampering(path) as connection:
        connection.execute("DELETE FROM events WHERE seq >= 9")
    with EventLog.open(path) as log:
        [recorded] = log.append([new("run/q")], handler="h")
        assert recorded.position == 11
        assert log.verify().problem == "position 9 is missing"


def test_an_empty_log_is_whole() -> None:
    with EventLog.open(":memory:") as log:
        report = log.verify()
    assert (report.ok, report.events, report.chain_hash) == (True, 0, GENESIS)


def test_rows_of_different_fields_have_different_hashes() -> None:
    assert chain(GENESIS, "ab", 1, "c", b"d") != chain(GENESIS, "a", 1, "bc", b"d")
    assert chain(GENESIS, "a", 11, "c", b"") != chain(GENESIS, "a", 1, "1c", b"")
