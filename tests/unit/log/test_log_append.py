import asyncio
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from agent0es.errors import ConcurrencyError, LogError, QueryError, StoreError
from agent0es.log import EventLog, NewEvent, Recorded
from agent0es.log.append import Append
from tests.support.postgresql import Server
from tests.unit.log.samples import begin, configured, iteration, new


@pytest.fixture(params=["memory", "postgresql"])
def log(request: pytest.FixtureRequest):
    url = ":memory:" if request.param == "memory" else request.getfixturevalue("postgresql").new_url()
    with EventLog.open(url) as log:
        yield log


@pytest.fixture
def memory():
    with EventLog.open(":memory:") as log:
        yield log


def test_what_was_appended_is_read_back_equal(log: EventLog) -> None:
    cause = begin(log)
    measured = {"seconds": 0.25, "tokens": 3, "host": "h", "cached": True}
    appended = log.append([NewEvent("task/r/1", iteration(2), measured), new("task/r/1", 3)], handler="h", cause=cause)
    assert list(log.read()) == [cause, *appended]
    assert [r.position for r in appended] == [2, 3]
    assert [r.version for r in appended] == [1, 2]
    assert appended[0].meta.cause == cause.meta.event_id
    assert appended[0].meta.measured == measured
    assert appended[0].run == appended[0].meta.correlation == "r"


def test_all_or_nothing(log: EventLog) -> None:
    begin(log)
    with pytest.raises(LogError, match=r"configuration\.x is nan"):
        log.append([new("task/r/1"), NewEvent("task/r/1", configured({"x": float("nan")}))], handler="h")
    assert log.head() == 1
    with pytest.raises(LogError, match="measured"):
        log.append([new("task/r/1"), NewEvent("task/r/1", iteration(), {"seconds": float("inf")})], handler="h")
    assert log.head() == 1
    [recorded] = log.append([new("task/r/1")], handler="h")
    assert (recorded.position, recorded.version) == (2, 1)


@pytest.mark.parametrize("stream", ["run", "run/", "/r", ""])
def test_a_stream_without_a_run_is_refused(log: EventLog, stream: str) -> None:
    with pytest.raises(LogError, match="stream"):
        log.append([new(stream)], handler="h")


def test_nothing_to_append_is_no_transaction(log: EventLog) -> None:
    assert log.append([], handler="h") == []
    assert log.head() == 0


def test_handled_is_exactly_once(log: EventLog) -> None:
    cause = begin(log)
    log.append([new("task/r/1")], handler="h", cause=cause, handled=True)
    with pytest.raises(ConcurrencyError, match="handled before"):
        log.append([new("task/r/2")], handler="h", cause=cause, handled=True)
    assert log.handled("r") == {("h", cause.position)}
    assert log.head() == 2


def test_handled_without_events(log: EventLog) -> None:
    cause = begin(log)
    assert log.append([], handler="h", cause=cause, handled=True) == []
    assert log.handled("r") == {("h", cause.position)}
    assert log.handled("other") == set()
    with pytest.raises(ValueError, match="cause"):
        log.append([], handler="h", handled=True)


def test_a_cause_of_another_log_is_refused(log: EventLog) -> None:
    with EventLog.open(":memory:") as other:
        cause = begin(other)
    with pytest.raises(LogError, match="not in this log"):
        log.append([], handler="h", cause=cause, handled=True)


def test_event_ids_follow_from_cause_handler_stream_type_and_count(tmp_path: Path) -> None:
    ids = []
    for name in ("a", "b"):
        with EventLog.open(tmp_path / name) as log:
            cause = begin(log)
            first = log.append([new("task/r/1"), new("task/r/1")], handler="h", cause=cause)
            second = log.append([new("task/r/1"), new("task/r/2")], handler="h", cause=cause, handled=True)
            ids.append([r.meta.event_id for r in (cause, *first, *second)])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 5


def test_reacting_to_a_handled_cause_again_is_refused(log: EventLog) -> None:
    cause = begin(log)
    log.append([new("task/r/1")], handler="h", cause=cause, handled=True)
    with pytest.raises(ConcurrencyError, match="same was appended"):
        log.append([new("task/r/1")], handler="h", cause=cause)


def test_a_resumed_process_counts_on_where_the_killed_one_stopped(address: str, tmp_path: Path) -> None:
    with EventLog.open(address) as log:
        cause = begin(log)
        log.append([new("task/r/1"), new("task/r/1")], handler="h", cause=cause)
    with EventLog.open(address) as log:
        [third] = log.append([new("task/r/1")], handler="h", cause=cause)
        [other] = log.append([new("task/r/1")], handler="other", cause=cause)
    with EventLog.open(tmp_path / "whole.db") as log:
        cause = begin(log)
        *_, expected = log.append([new("task/r/1")] * 3, handler="h", cause=cause)
    assert third.meta.event_id == expected.meta.event_id
    assert other.version == 4


def test_a_second_writer_to_a_stream_is_refused_and_can_go_on(address: str) -> None:
    with EventLog.open(address) as one, EventLog.open(address) as two:
        begin(one)
        two.append([new("run/r")], handler="two")
        with pytest.raises(ConcurrencyError, match="somebody else appended to run/r first"):
            one.append([new("run/r")], handler="one")
        [recorded] = one.append([new("run/r")], handler="one")
        assert (recorded.version, recorded.position) == (3, 3)
        assert one.verify().ok


async def test_concurrent_appends_share_transactions(log: EventLog) -> None:
    cause = begin(log)
    commits = []
    commit = log._writer._commit
    log._writer._commit = lambda batch: commits.append(len(batch)) or commit(batch)  # type: ignore[method-assign]
    results = await asyncio.gather(
        *(log.append_async([new(f"task/r/{i}"), new(f"task/r/{i}")], handler="h", cause=cause) for i in range(200))
    )
    assert sum(commits) == 200
    assert len(commits) < 20
    assert sorted(r.position for appended in results for r in appended) == list(range(2, 402))
    assert all(b.position == a.position + 1 for a, b in results), "an append is not torn apart"
    assert list(log.read(after=1)) == sorted((r for a in results for r in a), key=lambda r: r.position)
    assert log.verify().ok


def test_threads_share_transactions(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    cause = begin(log)
    commits = []
    commit = log._writer._commit

    def slowly(batch: Sequence[Append]) -> object:
        commits.append(len(batch))
        time.sleep(0.005)  # as a disk does
        return commit(batch)

    monkeypatch.setattr(log._writer, "_commit", slowly)

    def work(name: int) -> None:
        for number in range(10):
            log.append([new(f"task/r/{name}-{number}")], handler="h", cause=cause)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(commits) == 320
    assert len(commits) < 160
    assert [row.position for row in log.raw()] == list(range(1, 322))


def test_who_is_interrupted_while_he_waits_leaves_nobody_waiting(log: EventLog) -> None:
    cause = begin(log)
    interrupted = log._prepare([new("task/r/1")], "h", cause, False, None)
    assert interrupted is not None
    appended: list[Recorded] = []
    with log._writer._turn:
        log._writer._enqueue(interrupted)
        other = threading.Thread(
            target=lambda: appended.extend(log.append([new("task/r/2")], handler="h", cause=cause))
        )
        other.start()
        while len(log._writer._queue) < 2:
            time.sleep(0.001)
    log._writer._withdraw(interrupted)
    other.join(10)
    assert [r.stream for r in appended] == ["task/r/2"]
    assert log.head() == 2


async def test_one_failing_append_does_not_fail_those_that_share_its_transaction(log: EventLog) -> None:
    cause = begin(log)
    log.append([], handler="done", cause=cause, handled=True)
    results = await asyncio.gather(
        log.append_async([new("task/r/1")], handler="h", cause=cause),
        log.append_async([new("task/r/1"), new("task/r/9")], handler="done", cause=cause, handled=True),
        log.append_async([NewEvent("task/r/1", iteration(), {"x": float("nan")})], handler="h", cause=cause),
        log.append_async([new("task/r/1")], handler="h", cause=cause),
        return_exceptions=True,
    )
    assert isinstance(results[1], ConcurrencyError)
    assert isinstance(results[2], LogError)
    first, fourth = results[0], results[3]
    assert isinstance(first, list)
    assert isinstance(fourth, list)
    assert [(r.position, r.version) for r in (*first, *fourth)] == [(2, 1), (3, 2)]
    assert log.head() == 3
    [after] = await log.append_async([new("task/r/1")], handler="h", cause=cause)
    assert after.version == 3
    assert log.verify().ok


async def test_a_cancelled_append_that_was_not_taken_up_is_not_made(log: EventLog) -> None:
    cause = begin(log)
    with log._writer._turn:  # the writer is busy
        task = asyncio.create_task(log.append_async([new("task/r/1")], handler="h", cause=cause))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
    [recorded] = await log.append_async([new("task/r/1")], handler="h", cause=cause)
    assert (recorded.position, recorded.version) == (2, 1)


def test_a_closed_log_says_so(log: EventLog) -> None:
    log.close()
    for use in (lambda: log.append([new("run/r")], handler="h"), log.head, log.verify, lambda: list(log.read())):
        with pytest.raises(StoreError, match="closed"):
            use()
    log.close()


def test_reading_selects_and_pages(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent0es.log.event_log.PAGE_ROWS", 7)
    for run in ("b", "a"):
        begin(log, run)
        for i in range(20):
            log.append([new(f"task/{run}/{i % 3}"), NewEvent(f"task/{run}/x", configured({}))], handler="h")
    everything = list(log.read())
    assert [r.position for r in everything] == list(range(1, 83))
    assert log.runs() == ["b", "a"]

    def positions(**filters: object) -> list[int]:
        found = [r.position for r in log.read(**filters)]  # type: ignore[arg-type]
        assert found == [r.position for r in log.raw(**filters)]  # type: ignore[arg-type]
        return found

    assert positions(after=10, until=30) == list(range(11, 31))
    assert positions(run="a") == [r.position for r in everything if r.run == "a"]
    assert positions(stream="task/b/1") == [r.position for r in everything if r.stream == "task/b/1"]
    assert positions(types=["RunStarted"], run="b") == [
        r.position for r in everything if r.run == "b" and r.event.type == "RunStarted"
    ]
    assert positions(types=["RunStarted", "IterationStarted"]) == list(range(1, 83))
    assert positions(types=[]) == []
    assert positions(limit=9) == list(range(1, 10))
    assert positions(limit=0) == []
    assert positions(run="a", limit=8) == positions(run="a")[:8]
    with pytest.raises(QueryError, match="'Nothing'"):
        list(log.read(types=["Nothing"]))


def test_raw_and_arrow_are_what_is_stored(log: EventLog) -> None:
    cause = begin(log)
    log.append([NewEvent("task/r/1", configured({"b": 1, "a": "x" * 300}), {"s": 1.5})], handler="h", cause=cause)
    first, second = log.raw()
    assert first.content == '{"iteration":1,"type":"IterationStarted","version":1}'
    assert (second.type, second.event_version, second.run, second.stream) == ("RunStarted", 6, "r", "task/r/1")
    assert second.content.startswith('{"code_version":"0","configuration":{"a":{"$text":"')
    assert second.meta.endswith('"measured":{"s":1.5}}')
    table = log.arrow()
    stored = table.drop_columns(["resolved"])
    assert stored.to_pylist() == [{name: getattr(row, name) for name in stored.column_names} for row in (first, second)]
    assert table.column("resolved").to_pylist() == [
        None,
        '{"code_version":"0","configuration":{"a":"%s","b":1},"plugins":{},"seed":1,'
        '"type":"RunStarted","version":6,"weights":{}}' % ("x" * 300),
    ]
    assert log.arrow(after=1, limit=1).num_rows == 1
    assert log.arrow(after=2).schema == table.schema


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET state = '{}'",
        "UPDATE events SET seq = 9",
        "DELETE FROM events",
        "UPDATE texts SET text = ''",
        "DELETE FROM texts",
        "INSERT OR REPLACE INTO events VALUES (1, 's', 1, 't', NULL, NULL, '', '')",
        "INSERT OR REPLACE INTO events VALUES (9, 'run/r', 1, 't', NULL, NULL, '', '')",
        "INSERT OR REPLACE INTO events SELECT 9, stream, 9, topic, run, event_id, state, chain_hash FROM events",
        "INSERT OR REPLACE INTO texts SELECT sha256, 'other' FROM texts",
    ],
)
def test_rows_are_immutable(memory: EventLog, statement: str) -> None:
    memory.append([NewEvent("run/r", configured({"a": "x" * 300}))], handler="h")
    with pytest.raises(DBAPIError) as refused, memory._datastore.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    assert isinstance(refused.value.orig, sqlite3.IntegrityError)
    assert memory.verify().ok


def test_rows_are_immutable_on_postgresql(postgresql: Server) -> None:
    import psycopg

    url = postgresql.new_url()
    with EventLog.open(url) as log:
        log.append([NewEvent("run/r", configured({"a": "x" * 300}))], handler="h")
        for statement in (
            "UPDATE events SET topic = 'other'",
            "UPDATE events SET seq = 9 WHERE seq = 99",
            "DELETE FROM events",
            "TRUNCATE events CASCADE",
            "INSERT INTO events VALUES (1, 's', 1, 't', NULL, NULL, '', '') "
            "ON CONFLICT (seq) DO UPDATE SET topic = 't'",
            "UPDATE texts SET text = ''",
            "DELETE FROM texts",
            "TRUNCATE texts",
        ):
            with psycopg.connect(url) as connection, pytest.raises(psycopg.IntegrityError, match="are immutable"):
                connection.execute(statement.encode())
        assert log.verify().ok


def test_state_can_be_read_with_sql(memory: EventLog) -> None:
    begin(memory)
    with memory._datastore.read() as connection:
        row = connection.exec_driver_sql(
            "SELECT typeof(state), state ->> '$.content.iteration', state ->> '$.meta.handler' FROM events"
        ).one()
    assert row == ("text", 1, "cli")


def test_state_can_be_read_with_sql_on_postgresql(postgresql: Server) -> None:
    url = postgresql.new_url()
    with EventLog.open(url) as log:
        begin(log)
        with log._datastore.read() as connection:
            row = connection.exec_driver_sql(
                "SELECT s -> 'content' ->> 'iteration', s -> 'meta' ->> 'handler' "
                "FROM (SELECT convert_from(state, 'UTF8')::json AS s FROM events) AS states"
            ).one()
    assert row == ("1", "cli")


def test_the_library_sees_the_log_as_notifications(log: EventLog) -> None:
    [recorded] = log.append([NewEvent("run/r", configured({"a": "x" * 300}))], handler="h")
    [notification] = log.notification_log.select(1, 10)
    entry = log.mapper.to_domain_event(notification)
    assert (entry.originator_id, entry.originator_version) == ("run/r", 1)
    assert (entry.event, entry.meta) == (recorded.event, recorded.meta)  # type: ignore[attr-defined]
    assert [e.event for e in log.events.get("run/r")] == [recorded.event]  # type: ignore[attr-defined]
    with pytest.raises(LogError, match=r"EventLog\.append"):
        log.save(entry)


def test_a_mark_counts_from_where_its_effects_are_complete() -> None:
    with EventLog.open(":memory:") as log:
        cause = begin(log)
        first, second = log.append([new("run/r", 2), new("run/r", 3)], handler="h", cause=cause, handled=True)
        log.append([], handler="nothing to add", cause=cause, handled=True)
        assert log.handled("r", until=first.position) == set()
        assert log.handled("r", until=second.position) == {("h", 1), ("nothing to add", 1)}


def test_a_fork_marks_what_it_handles_of_its_parent_as_its_own() -> None:
    with EventLog.open(":memory:") as log:
        cause = begin(log, "parent")
        log.append([new("run/child")], handler="h", cause=cause, handled=True, run="child")
        assert log.handled("child") == {("h", cause.position)}
        assert log.handled("parent") == set()
        log.append([new("run/parent", 2)], handler="h", cause=cause, handled=True)
        assert log.handled("parent") == {("h", cause.position)}


async def test_an_append_on_condition_is_refused_once_somebody_was_first(log: EventLog) -> None:
    where = "budget/routes/day"
    await log.append_async([new(where, 1)], handler="one", expected={where: 0})
    same = [log.append_async([new(where, n)], handler="one", expected={where: 1}) for n in range(1, 6)]
    results = await asyncio.gather(*same, log.append_async([new("run/r")], handler="one"), return_exceptions=True)
    assert sum(isinstance(result, ConcurrencyError) for result in results) == 4
    assert isinstance(results[5], list), "those beside it go on"
    assert [recorded.version for recorded in log.read(stream=where)] == [1, 2]
    with pytest.raises(ConcurrencyError, match="somebody else appended to budget/routes/day first"):
        await log.append_async([new("run/r")], handler="one", expected={where: 1})


def test_a_parent_goes_on_after_a_fork_in_the_same_process_has_handled_the_cause() -> None:
    with EventLog.open(":memory:") as log:
        cause = begin(log)
        log.append([new("task/r/1")], handler="h", cause=cause)
        log.append([new("task/f/1")], handler="h", cause=cause, handled=True, run="f")
        log.append([new("task/r/1")], handler="h", cause=cause, handled=True)
        assert [recorded.stream for recorded in log.read()][1:] == ["task/r/1", "task/f/1", "task/r/1"]
