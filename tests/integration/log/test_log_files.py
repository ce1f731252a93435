"""The log in a file: what is no log, and a disk that misbehaves."""

import asyncio
import errno
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from agent0es.errors import StoreError
from agent0es.log import EventLog, NewEvent
from agent0es.log.datastore import url_of_file
from agent0es.projections import Projections
from agent0es.projections.snapshots import EVERY, Snapshots
from tests.unit.log.samples import begin, configured, new


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log.db"
    with EventLog.open(path) as log:
        begin(log)
    return path


def test_the_file_is_durable_and_enforces_its_rules(path: Path) -> None:
    with EventLog.open(path) as log, log._datastore.read() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "user_version")
        assert [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas] == ["wal", 2, 1, 1]


def test_a_log_appears_complete_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "a ?#%20 ü&.db"
    with EventLog.open(path) as log:
        begin(log)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    with EventLog.open(path, read_only=True) as log:
        assert log.head() == 1
        with pytest.raises(StoreError, match="read-only"):
            log.append([new("run/r")], handler="h")
    with EventLog.open(f"sqlite:///{tmp_path}/plain.db") as log:
        begin(log)
    assert (tmp_path / "plain.db").exists()


@pytest.mark.parametrize(
    "name", ["a?b", "?x=1", "a#b", "a%20b", "a 'b'", 'a"b', "file:x", "md:x", ":memory:", "a\\b", "\x1b", "ü", "\udcff"]
)
def test_a_store_may_lie_in_a_folder_of_any_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Path(name)
    store.mkdir()
    with EventLog.open(store / "log.db") as log:
        log.append([NewEvent("run/r", configured({}))], handler="cli")
        log.append([new("run/r", number) for number in range(1, EVERY + 1)], handler="h")
    with EventLog.open(store / "log.db", read_only=True) as log:
        assert log.head() == 1 + EVERY
        with Projections.open(log, store / "projections.duckdb") as tables:
            tables.catch_up()
            assert list(tables.query("SELECT count(*) FROM events").rows) == [(1 + EVERY,)]
        with Snapshots(log, store / "snapshots.db") as snapshots:
            assert snapshots.state_at("r").iteration == EVERY
    known = {
        "log.db",
        "log.db-wal",
        "log.db-shm",
        "snapshots.db",
        "projections.duckdb",
        "projections.duckdb.lock",
        "projections.duckdb.readers",
    }
    assert {"log.db", "snapshots.db"} <= {path.name for path in store.iterdir()} <= known
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing lies beside it"


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_bytes(b"this is a text file, and not a short one" * 30), "not an agent0es log"),
        (lambda path: sqlite3.connect(path).execute("CREATE TABLE t (x)").connection.close(), "not an agent0es log"),
        (
            lambda path: sqlite3.connect(path).execute("CREATE TABLE events (x)").connection.close(),
            "not an agent0es log",
        ),
    ],
)
def test_what_is_not_a_log_is_refused_in_one_line(tmp_path: Path, make: Any, message: str, read_only: bool) -> None:
    path = tmp_path / "other.db"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError, match=message) as refused:
        EventLog.open(path, read_only=read_only)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_missing_log_or_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no log; start a run first"):
        EventLog.open(tmp_path / "log.db", read_only=True)
    with pytest.raises(StoreError, match="No such file or directory"):
        EventLog.open(tmp_path / "no" / "log.db")
    with pytest.raises(StoreError, match="mysql"):
        EventLog.open("mysql://localhost/x")


def test_a_log_of_a_newer_version_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="newer agent0es"):
        EventLog.open(path)


def test_no_room_for_a_new_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("agent0es.log.opening.tempfile.mkstemp", full)
    with pytest.raises(StoreError, match="the disk is full; free some space"):
        EventLog.open(tmp_path / "log.db")


async def test_a_full_disk_fails_all_who_wait_and_loses_nothing(path: Path) -> None:
    with EventLog.open(path) as log:
        with log._datastore.write() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 5}")
        big = [NewEvent("task/r/1", configured({str(i): "x" * 190 for i in range(100)}))] * 3
        results = await asyncio.gather(*(log.append_async(big, handler="h") for _ in range(4)), return_exceptions=True)
        for result in results:
            assert isinstance(result, StoreError)
            assert re.fullmatch(rf"{path}: the disk is full; free some space, .*", str(result))
        assert log.head() == 1
        with log._datastore.write() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 100000")
        [recorded, *_] = log.append(big, handler="h")
        assert (recorded.position, recorded.version) == (2, 1)
        assert log.verify().ok


def test_a_locked_log_is_told_and_can_be_used_later(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    with EventLog({"LOG_URL": url_of_file(path), "LOG_BUSY_SECONDS": "0.1"}) as log:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process keeps the log locked"):
            log.append([new("run/r")], handler="h")
        assert log.head() == 1, "readers are not kept out"
        other.execute("ROLLBACK")
        assert log.append([new("run/r")], handler="h")[0].version == 2
    other.close()


AS_NOBODY = """
import os, sys
from agent0es.errors import StoreError
from agent0es.log import EventLog

EventLog.open(":memory:").close()  # loads what may not be readable later
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for read_only in (False, True):
    try:
        with EventLog.open(sys.argv[1], read_only=read_only) as log:
            print(log.head(), log.verify().ok)
    except StoreError as error:
        print(error)
"""


def test_a_store_that_may_only_be_read_is_told(path: Path) -> None:
    """To somebody who may not write it, for root may everything."""
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    command = [sys.executable, "-c", AS_NOBODY, str(folder / "log.db")]
    try:
        shutil.copy(path, folder / "log.db").chmod(0o444)
        folder.chmod(0o555)
        alone = subprocess.run(command, capture_output=True, text=True, check=False)
        left = [entry.name for entry in folder.iterdir()]
        folder.chmod(0o755)
        (folder / "log.db").chmod(0o644)
        with EventLog.open(folder / "log.db") as log:
            begin(log, "q")
            for file in folder.iterdir():
                file.chmod(0o444)
            folder.chmod(0o555)
            beside_a_writer = subprocess.run(command, capture_output=True, text=True, check=False)
            folder.chmod(0o755)
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    unwritable = f"{folder}/log.db: the log or its folder can't be written; check the permissions of both"
    unreadable = f"{folder}/log.db: its folder can't be written, and SQLite needs to, even to read; copy the log to "
    assert alone.stdout == f"{unwritable}\n{unreadable}a folder of yours, or mount this one read-only\n", alone.stderr
    assert beside_a_writer.stdout == f"{unwritable}\n2 True\n", beside_a_writer.stderr
    assert left == ["log.db"]


def test_a_damaged_file_is_told(path: Path) -> None:
    with EventLog.open(path) as log:
        log.append([NewEvent("task/r/1", configured({"a": ["x" * 190] * 100}))] * 9, handler="h")
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(path.stat().st_size - 4096 * 3))
    with pytest.raises(StoreError, match=rf"{path}: the file is damaged; restore a copy"):  # noqa: SIM117
        with EventLog.open(path) as log:
            list(log.read())


def test_a_file_that_was_taken_away_is_not_written_to(path: Path) -> None:
    with EventLog.open(path) as log:
        begin(log, "q")
        path.rename(path.with_name("moved.db"))
        with pytest.raises(StoreError, match="the log is gone"):
            log.append([new("run/r")], handler="h")
        path.touch()
        with pytest.raises(StoreError, match="was replaced"):
            log.append([new("run/r")], handler="h")
        path.with_name("moved.db").rename(path)
        log.append([new("run/r")], handler="h")
