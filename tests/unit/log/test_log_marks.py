"""Marks of what is handled: one too many skips work, one too few repeats it. A changed one is found."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent0es.errors import ConcurrencyError, StoreError
from agent0es.log import EventLog, insertion
from agent0es.log.mapper import Content, encode_state
from agent0es.log.records import Mark, Meta
from agent0es.log.transfer import verify_export
from tests.support import world
from tests.unit.log.samples import begin, new


def database(log: EventLog) -> sqlite3.Connection:
    with log._datastore.engine.connect() as connection:
        driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute("PRAGMA foreign_keys = OFF")
    return driver


def marks(log: EventLog) -> list[Mark]:
    rows = database(log).execute("SELECT run, position, handler, committed FROM handled ORDER BY committed, 1, 2, 3")
    return [Mark(*row) for row in rows]


@contextmanager
def instead(log: EventLog, before: Mark | None, after: Mark | None) -> Iterator[None]:
    """One mark taken away, put in, or both."""
    connection = database(log)

    def swap(out: Mark | None, into: Mark | None) -> None:
        if out is not None:
            connection.execute("DELETE FROM handled WHERE (run, position, handler) = (?, ?, ?)", out[:3])
        if into is not None:
            connection.execute("INSERT INTO handled VALUES (?, ?, ?, ?)", into)

    swap(before, after)
    yield
    swap(after, before)


def write_as_before(patch: pytest.MonkeyPatch) -> None:
    """The writer of an agent0es whose events said no marks."""

    def encode(content: Content, meta: Meta) -> bytes:
        return encode_state(content, replace(meta, handled=()))

    patch.setattr(insertion, "encode_state", encode)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventLog]:
    """A run with all its handlers."""
    with EventLog.open(":memory:") as log:
        world.begin(log, "r")
        world.complete(log, "r", tmp_path_factory.mktemp("store"))
        yield log


@pytest.fixture(scope="module")
def old_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventLog]:
    """The same, as it was written before events said marks."""
    with EventLog.open(":memory:") as log:
        with pytest.MonkeyPatch.context() as patch:
            write_as_before(patch)
            world.begin(log, "r")
            world.complete(log, "r", tmp_path_factory.mktemp("store"))
        yield log


def test_every_mark_of_a_run_is_said_by_one_event(run: EventLog) -> None:
    said = [mark for recorded in run.read() for mark in recorded.meta.handled]
    assert sorted(said) == sorted(marks(run))
    assert {"propose", "solve", "verify", "reward", "schedule", "train"} <= {mark.handler for mark in said}
    assert any(mark.committed < r.position for r in run.read() for mark in r.meta.handled), "and some by a later one"
    assert run.verify().ok


CHANGES: list[Callable[[Mark], Mark | None]] = [
    lambda mark: None,
    lambda mark: mark._replace(run="other"),
    lambda mark: mark._replace(position=mark.position + 1),
    lambda mark: mark._replace(position=99_999),
    lambda mark: mark._replace(handler="promote" if mark.handler != "promote" else "solve"),
    lambda mark: mark._replace(committed=mark.committed + 1),
    lambda mark: mark._replace(committed=mark.committed - 1),
]


@pytest.mark.parametrize("change", CHANGES)
def test_any_changed_mark_is_found(run: EventLog, change: Callable[[Mark], Mark | None]) -> None:
    there = {mark[:3] for mark in marks(run)}
    for mark in marks(run):
        after = change(mark)
        if after is not None and after[:3] != mark[:3] and after[:3] in there:
            continue
        with instead(run, mark, after):
            report = run.verify()
            assert not report.ok, f"{mark} became {after}"
            assert "is marked as done" in report.finding
            assert "\n" not in report.finding
    assert run.verify().ok


def test_an_added_mark_is_found(run: EventLog) -> None:
    """Also one for which there are events: those that came of the first of two causes, by another handler's name."""
    events = {r.meta.event_id: r for r in run.read()}
    known = {mark[:3] for mark in marks(run)}
    added = [
        Mark("r", 99_999, "solve", 10),
        Mark("r", 3, "nobody", 5),
        *(Mark("r", position, "solve", run.head() - 1) for position in range(1, run.head(), 7)),
        *(
            Mark("r", events[r.meta.cause].position, r.meta.handler, r.position)
            for r in events.values()
            if r.meta.cause is not None and r.position < run.head()
        ),
    ]
    tried = 0
    for mark in added:
        if mark[:3] not in known:
            with instead(run, None, mark):
                assert not run.verify().ok, mark
            tried += 1
    assert tried > 5


def test_a_log_of_before_verifies_as_it_did(old_run: EventLog) -> None:
    assert not [mark for recorded in old_run.read() for mark in recorded.meta.handled]
    assert len(marks(old_run)) > 20
    assert old_run.verify().ok


@pytest.mark.parametrize(
    "change",
    [
        lambda mark: mark._replace(position=99_999),
        lambda mark: mark._replace(handler="nobody"),
        lambda mark: mark._replace(run="other"),
        lambda mark: mark._replace(committed=mark.position),
        lambda mark: mark._replace(committed=99_999),
        lambda mark: mark._replace(position=mark.position + 1),
    ],
)
def test_in_a_log_of_before_a_mark_must_stand_for_events(
    old_run: EventLog, change: Callable[[Mark], Mark | None]
) -> None:
    causes = {(r.meta.handler, r.meta.cause) for r in old_run.read()}
    ids = {r.position: r.meta.event_id for r in old_run.read()}
    for mark in marks(old_run):
        after = change(mark)
        assert after is not None
        if (after.handler, ids.get(after.position)) in causes and after.position != mark.position:
            continue  # of that cause something came too
        with instead(old_run, mark, after):
            assert not old_run.verify().ok, f"{mark} became {after}"
    assert old_run.verify().ok


def test_a_log_of_before_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with EventLog.open(path) as log, pytest.MonkeyPatch.context() as patch:
        write_as_before(patch)
        cause = begin(log)
        [second] = log.append([new("run/r")], handler="h", cause=cause, handled=True)
        log.append([new("run/r")], handler="g", cause=second)
        log.append([], handler="g", cause=second, handled=True)
        assert log.verify().ok
    with EventLog.open(path) as log:
        [third] = log.append([new("run/r")], handler="h", cause=second, handled=True)
        assert third.meta.handled == (Mark("r", 2, "g", 3), Mark("r", 2, "h", 4))
        assert log.verify().ok
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM handled WHERE handler = 'g'")
    with EventLog.open(path) as log:
        report = log.verify()
        assert (report.ok, report.first_bad) == (False, 4)


def test_a_mark_that_was_made_without_events_is_said_by_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with EventLog.open(path) as log:
        cause = begin(log)
        log.append([new("run/r")], handler="h", cause=cause)
        log.append([], handler="h", cause=cause, handled=True)
        begin(log, "other")
        assert log.verify().ok
    with EventLog.open(path) as log:
        [other] = log.append([new("run/other")], handler="h")
        [next_one] = log.append([new("run/r")], handler="h")
        [last] = log.append([new("run/r")], handler="h")
        assert (other.meta.handled, last.meta.handled) == ((), ())
        assert next_one.meta.handled == (Mark("r", 1, "h", 2),)
        assert list(log.read(after=4)) == [next_one, last]
        assert log.verify().ok


def test_at_the_end_of_a_run_a_mark_must_stand_for_events() -> None:
    with EventLog.open(":memory:") as log:
        cause = begin(log)
        log.append([], handler="h", cause=cause, handled=True)
        assert log.verify().finding == (
            "position 1: h is marked as done with event 1 for run r: no event came of it; the mark was added or changed"
        )
        log.append([new("run/r")], handler="h", cause=cause)
        assert log.verify().ok, "which the next event says"


def test_a_refused_append_says_nothing() -> None:
    with EventLog.open(":memory:") as log:
        cause = begin(log)
        log.append([new("run/r")], handler="h", cause=cause)
        log.append([], handler="h", cause=cause, handled=True)
        with pytest.raises(ConcurrencyError, match="handled before"):
            log.append([new("run/r/7")], handler="h", cause=cause, handled=True)
        [recorded] = log.append([new("run/r", 8)], handler="g", cause=cause)
        assert recorded.meta.handled == (Mark("r", 1, "h", 2),)
        assert log.verify().ok


def test_a_mark_of_another_type_is_found(run: EventLog) -> None:
    connection = database(run)
    for column in ("run", "handler"):
        connection.execute(f"UPDATE handled SET {column} = CAST({column} AS BLOB) WHERE position = 1")
        assert "wrong type" in run.verify().finding
        connection.execute(f"UPDATE handled SET {column} = CAST({column} AS TEXT) WHERE position = 1")
    assert run.verify().ok


def test_marks_are_checked_in_an_export(run: EventLog, old_run: EventLog, tmp_path: Path) -> None:
    for log in (run, old_run):
        log.export(tmp_path / "export")
        assert verify_export(tmp_path / "export").ok
        mark = marks(log)[3]
        with instead(log, mark, mark._replace(handler="nobody")), pytest.raises(StoreError, match="marked as done"):
            log.export(tmp_path / "other")
        assert not (tmp_path / "other").exists()
