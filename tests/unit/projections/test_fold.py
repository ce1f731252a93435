"""Folding: batches don't show, batches are all or nothing, and whatever happens to the file, it can be made anew."""

import errno
import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent0es.errors import QueryError, StoreError
from agent0es.projections import Projections, fold, schema, sharing
from agent0es.projections import tables as tables_module
from tests.unit.projections.fake_log import FakeLog
from tests.unit.projections.history import history, interleave


def contents(tables: Projections) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    return {name: list(tables.query(f"FROM {name} ORDER BY ALL").rows) for name in schema.TABLES}


def rebuilt(log: FakeLog) -> dict[str, list[tuple[Any, ...]]]:
    with Projections.open(log) as tables:
        tables.catch_up()
        return contents(tables)


def small_log(seed: int = 1) -> FakeLog:
    return FakeLog(history(random.Random(seed), "r"))


@cache
def expected(seed: int = 1) -> dict[str, list[tuple[Any, ...]]]:
    """The tables of a small log."""
    return rebuilt(small_log(seed))


def spoil(path: Path) -> None:
    """Damage the second half of a file."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(byte ^ 0xFF for byte in whole[len(whole) // 2 :]))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), rng=st.randoms(use_true_random=False), runs=st.integers(1, 3))
def test_any_split_into_batches_gives_what_a_rebuild_gives(data: st.DataObject, rng: random.Random, runs: int) -> None:
    events = interleave(rng, [history(rng, f"run-{i}", tasks=rng.randint(1, 3)) for i in range(runs)])
    cuts = data.draw(st.lists(st.integers(0, len(events)), max_size=3).map(sorted), label="cuts")

    log = FakeLog()
    with Projections.open(log) as tables:
        for begin, end in zip([0, *cuts], [*cuts, len(events)], strict=True):
            log.append(events[begin:end])
            assert tables.catch_up() == end - begin
        incremental = contents(tables)

    assert incremental == rebuilt(log)


def test_small_batches_of_one_catch_up_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "BATCH_EVENTS", 17)
    assert rebuilt(small_log()) == expected()


def test_a_batch_that_fails_leaves_neither_rows_nor_position(monkeypatch: pytest.MonkeyPatch) -> None:
    log = small_log()
    with Projections.open(log) as tables:
        whole = schema.load()
        broken = whole._replace(
            fill=(
                *whole.fill,
                schema.Fill(
                    "broken", "INSERT INTO rewards BY NAME SELECT error('no luck')::VARCHAR AS run", frozenset()
                ),
            )
        )
        monkeypatch.setattr(schema, "load", lambda: broken)
        with pytest.raises(StoreError, match="no luck"):
            tables.catch_up()
        assert tables.position == 0
        assert list(tables.query("SELECT count(*) FROM events").rows) == [(0,)]

        monkeypatch.undo()
        assert tables.catch_up() == log.head()
        assert contents(tables) == expected()


def test_the_file_keeps_what_was_folded(tmp_path: Path) -> None:
    log, path = small_log(), tmp_path / "projections.duckdb"
    with Projections.open(log, path) as tables:
        assert tables.catch_up() == log.head()
    log.append(history(random.Random(2), "later"))
    left = path.with_name(f"{path.name}.1-0.copy")
    left.write_bytes(b"of somebody who was killed while copying")
    with Projections.open(log, path) as tables:
        assert 0 < tables.position < log.head()
        assert tables.catch_up() == log.head() - len(small_log().rows)
        assert not left.exists()
        assert contents(tables) == rebuilt(log)


@pytest.mark.parametrize("damage", ["garbage", "truncated", "empty", "foreign"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: str) -> None:
    log, path = small_log(), tmp_path / "projections.duckdb"
    with Projections.open(log, path) as tables:
        tables.catch_up()
    match damage:
        case "garbage":
            path.write_bytes(b"not a database" * 1000)
        case "truncated":
            os.truncate(path, 5000)
        case "empty":
            path.write_bytes(b"")
        case "foreign":
            path.unlink()
            duckdb.connect(path).execute("CREATE TABLE runs (x INTEGER)").close()
    with Projections.open(log, path) as tables:
        tables.catch_up()
        assert tables.kept
        assert contents(tables) == expected()


def test_damage_that_only_a_query_meets_is_mended_by_asking_again(tmp_path: Path) -> None:
    log, path = small_log(), tmp_path / "projections.duckdb"
    with Projections.open(log, path) as tables:
        tables.catch_up()
    spoil(path)
    with Projections.open(log, path) as tables:
        tables.catch_up()
        try:
            assert contents(tables) == expected()
        except StoreError as error:
            assert "run the command again" in str(error)
    with Projections.open(log, path) as tables:
        tables.catch_up()
        assert contents(tables) == expected()


def test_a_file_of_another_log_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "projections.duckdb"
    with Projections.open(small_log(1), path) as tables:
        tables.catch_up()
    other = small_log(2)
    with Projections.open(other, path) as tables:
        assert tables.position == 0
        tables.catch_up()
        assert contents(tables) == expected(2)


def test_a_file_of_another_version_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, path = small_log(), tmp_path / "projections.duckdb"
    with Projections.open(log, path) as tables:
        tables.catch_up()
    monkeypatch.setattr(schema, "fingerprint", lambda: "another")
    with Projections.open(log, path) as tables:
        assert tables.position == 0


def test_an_owner_that_does_not_get_on_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "PATIENCE_SECONDS", 0.5)
    log, path = small_log(), tmp_path / "projections.duckdb"
    holder = f"import fcntl, time; f = open({str(path) + '.lock'!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX)"
    with subprocess.Popen([sys.executable, "-c", f"{holder}; print(flush=True); time.sleep(60)"], stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        begin = time.monotonic()
        with Projections.open(log, path) as tables:
            tables.catch_up()
            assert not tables.kept
            assert contents(tables) == expected()
        assert time.monotonic() - begin < 10, "it should not wait for the other process"
        process.kill()
    assert not path.exists()


@pytest.mark.parametrize("options", ["", ", read_only=True"])
def test_who_has_the_file_open_with_duckdb_itself_is_in_nobodys_way(tmp_path: Path, options: str) -> None:
    log, path = small_log(), tmp_path / "projections.duckdb"
    with Projections.open(log, path) as tables:
        tables.catch_up()
    holder = f"""
import duckdb
connection = duckdb.connect({str(path)!r}{options})
print(flush=True)
input()
print(connection.execute("SELECT count(*) FROM events").fetchone()[0])
"""
    before = log.head()
    with subprocess.Popen([sys.executable, "-c", holder], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        log.append(history(random.Random(2), "later"))
        with Projections.open(log, path) as tables:
            assert tables.catch_up() < log.head() or options == "", "it could be read"
            assert tables.kept
            assert contents(tables) == rebuilt(log)
        assert process.communicate("\n")[0] == f"{before}\n", "it keeps what it has opened"


def test_where_nothing_can_be_written_tables_are_in_memory(tmp_path: Path) -> None:
    with Projections.open(small_log(), tmp_path / "missing" / "projections.duckdb") as tables:
        assert tables.catch_up() > 0
        assert not tables.kept


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("store") / "projections.duckdb"
    with Projections.open(small_log(), path) as opened:
        opened.catch_up()
        yield opened


EVERYTHING = """
SELECT
    (SELECT count(*) FROM events), (SELECT sum(total) FROM rewards), (FROM facts.folded SELECT position),
    (SELECT list(table_name ORDER BY table_name) FROM duckdb_tables()),
    (SELECT list(DISTINCT schema_name ORDER BY schema_name) FROM duckdb_schemas())
"""


@pytest.fixture(scope="module")
def before(tables: Projections) -> Any:
    return list(tables.query(EVERYTHING).rows)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "FROM runs",
        "WITH t AS (SELECT 1 AS x) SELECT x FROM t",
        "SHOW TABLES",
        "DESCRIBE tasks",
        "SUMMARIZE rewards",
        "PIVOT tasks ON status USING count(*) GROUP BY family",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE FROM tasks",
        "SELECT now()",
        "VALUES (1), (2);",
    ],
)
def test_questions_are_answered(tables: Projections, sql: str) -> None:
    assert list(tables.query(sql).rows)


@pytest.mark.parametrize("sql", ["SELECT count(*) FROM tasks WHERE run = $run", "PIVOT tasks ON task USING count(*)"])
def test_a_question_that_is_asked_again_sees_what_was_folded_since(sql: str) -> None:
    coming = history(random.Random(3), "run", tasks=3)
    parts = [coming[: len(coming) // 2], coming]
    log = FakeLog()
    named = {"run": "run"} if "$run" in sql else ()
    with Projections.open(log) as tables:
        for part in parts:
            log.append(part[len(log.rows) :])
            tables.catch_up()
            asked = [*tables.query(sql, named).rows]
            assert asked == [*tables.query(sql, named).rows]
            with Projections.open(FakeLog(part)) as fresh:
                fresh.catch_up()
                assert asked == [*fresh.query(sql, named).rows]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM events",
        "UPDATE facts.folded SET position = 0",
        "INSERT INTO rewards SELECT * FROM rewards",
        "DROP TABLE rewards",
        "CREATE TABLE mine (x INTEGER)",
        "COMMIT",
        "ROLLBACK",
        "SELECT 1; DELETE FROM events",
        "EXPLAIN ANALYZE DELETE FROM events",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/agent0es-escaped.csv'",
        "COPY (SELECT 1) TO '{path}' (USE_TMP_FILE false, FORMAT csv)",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{path}' (USE_TMP_FILE false, FORMAT csv)",
        "EXPLAIN /* x */ ANALYZE COPY (SELECT 1) TO '{path}' (USE_TMP_FILE false, FORMAT csv)",
        "EXPORT DATABASE '/tmp/agent0es-escaped'",
        "ATTACH '/tmp/agent0es-escaped.duckdb'",
        "ATTACH '{path}' AS again",
        "SET enable_external_access = true",
        "SET threads = 1",
        "PRAGMA enable_profiling",
        "INSTALL httpfs",
        "LOAD httpfs",
        "CALL enable_logging(storage := 'file', storage_path := '/tmp/agent0es-escaped.log')",
        "SELECT * FROM enable_logging(storage := 'file', storage_path := '/tmp/agent0es-escaped.log')",
        "SELECT * FROM log_of_this_process",
        "SELEC 1",
        "SELECT no_such_column FROM runs",
        "SELECT 'x'::INTEGER",
        "",
    ],
)
def test_what_changes_or_leaves_the_database_is_refused(tables: Projections, before: Any, sql: str) -> None:
    log_of_this_process = duckdb.sql("SELECT 1 AS x")
    with pytest.raises(QueryError) as refused:
        list(tables.query(sql.replace("{path}", str(tables._path))).rows)
    assert "\n" not in str(refused.value)
    assert list(tables.query(EVERYTHING).rows) == before
    assert not list(Path("/tmp").glob("agent0es-escaped*"))
    assert log_of_this_process is not None


def test_a_query_has_parameters(tables: Projections) -> None:
    hostile = "r' OR 'x' = 'x"
    assert list(tables.query("SELECT count(*) FROM runs WHERE run = ?", ["r"]).rows) == [(1,)]
    assert list(tables.query("SELECT count(*) FROM runs WHERE run = ?", [hostile]).rows) == [(0,)]


def test_who_follows_the_log_opens_the_file_once_and_is_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, path = small_log(), tmp_path / "projections.duckdb"
    opened: list[object] = []
    connect = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda *args, **options: opened.append(args) or connect(*args, **options))

    def grow() -> int:
        before = log.head()
        log.append(history(random.Random(before), f"r{before}", tasks=1))
        return log.head() - before

    with Projections.open(log, path) as tables:
        tables.catch_up()
        half_read = tables.query("SELECT position FROM events ORDER BY ALL").rows
        first = [next(half_read)]
        grown = grow()
        assert tables.catch_up() == grown
        assert tables.kept
        grown = grow()
        assert tables.catch_up() == grown, "it takes a copy of the file now"
        assert not tables.kept
        opened.clear()
        grown = grow()
        assert tables.catch_up() == grown
        assert not opened, "it goes on where it was"
        assert contents(tables) == rebuilt(log)
        with Projections.open(log, path) as other:
            assert 0 < other.position < tables.position == log.head(), "what it folded for itself"
            other.catch_up()
            assert other.kept
        monkeypatch.setattr(tables_module, "COPY_EVENTS", 2 * grown)
        grown = grow()
        assert tables.catch_up() == grown
        assert tables.kept, "others shall not have to fold too much"
        assert [*first, *half_read] == [(number,) for number in range(1, len(small_log().rows) + 1)]
    assert sorted(file.name for file in tmp_path.iterdir()) == [path.name, f"{path.name}.lock", f"{path.name}.readers"]
    with Projections.open(log, path) as tables:
        assert tables.position == log.head()


def test_who_has_no_space_for_a_copy_goes_on_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = small_log()
    full = OSError(errno.ENOSPC, "No space left on device")
    copies = Mock(side_effect=full)
    monkeypatch.setattr(shutil, "copyfile", copies)
    with Projections.open(log, tmp_path / "projections.duckdb") as tables:
        tables.catch_up()
        tables.catch_up()
        log.append(history(random.Random(2), "later"))
        tables.catch_up()
        assert copies.called and tables.kept
        assert contents(tables) == rebuilt(log)


def test_a_copy_of_a_damaged_file_is_mended_by_asking_again(tmp_path: Path) -> None:
    log, path = small_log(), tmp_path / "projections.duckdb"
    with Projections.open(log, path) as tables:
        tables.catch_up()
        tables.catch_up()
        spoil(path)
        log.append(history(random.Random(2), "later"))
        tables.catch_up()
        assert not tables.kept
        with suppress(StoreError):
            contents(tables)
        tables.catch_up()
        assert contents(tables) == rebuilt(log)
