"""The persistence module on files: the library's cases, several processes, and a disk that misbehaves."""

import asyncio
import errno
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
    ProcessRecorderTestCase,
    TrackingRecorderTestCase,
)

from agent0es.errors import StoreError
from agent0es.log import (
    EventLog,
    LogAggregateRecorder,
    LogApplicationRecorder,
    LogProcessRecorder,
    LogTrackingRecorder,
    NewEvent,
)
from agent0es.log.datastore import Datastore, url_of_file
from tests.unit.log.samples import begin, configured, new


class OnFile:
    """Gives every test case of the library a file of its own."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.datastore = Datastore(url_of_file(self.folder / "log.db"))

    def tearDown(self) -> None:
        self.datastore.close()
        shutil.rmtree(self.folder)

    def created(self, recorder: Any) -> Any:
        recorder.create_table()
        return recorder


class TestAggregateRecorder(OnFile, AggregateRecorderTestCase):
    def create_recorder(self) -> LogAggregateRecorder:
        return self.created(LogAggregateRecorder(self.datastore))


class TestApplicationRecorder(OnFile, ApplicationRecorderTestCase[LogApplicationRecorder]):
    def create_recorder(self) -> LogApplicationRecorder:
        return self.created(LogApplicationRecorder(self.datastore))

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestNonInterleaving(OnFile, NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> LogApplicationRecorder:
        return self.created(LogApplicationRecorder(self.datastore))


class TestTrackingRecorder(OnFile, TrackingRecorderTestCase):
    def create_recorder(self) -> LogTrackingRecorder:
        return self.created(LogTrackingRecorder(self.datastore))


class TestProcessRecorder(OnFile, ProcessRecorderTestCase):
    def create_recorder(self) -> LogProcessRecorder:
        return self.created(LogProcessRecorder(self.datastore))


del (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
    ProcessRecorderTestCase,
    TrackingRecorderTestCase,
)


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
        with pytest.raises(StoreError, match="read only"):
            log.append([new("run/r")], handler="h")
    with EventLog.open(f"sqlite:///{tmp_path}/plain.db") as log:
        begin(log)
    assert (tmp_path / "plain.db").exists()


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


APPENDER = """
import asyncio, os, sys
from agent0es.domain import events as ev
from agent0es.log import EventLog, NewEvent

def acknowledge(appended):
    os.write(1, b"".join(b"%d %s\\n" % (r.position, r.chain_hash.encode()) for r in appended))

def batch(name, i):
    event = ev.RunStarted(seed=i, configuration={"a": "x" * (150 + i % 100)}, code_version="0", weights={})
    return [NewEvent(f"task/r/{name}-{i % 7}", event)] * (1 + i % 3)

async def work(log, name):
    i = 0
    while True:
        i += 1
        acknowledge(await log.append_async(batch(name, i), handler=name))

async def main(log):
    await asyncio.gather(*(work(log, str(n)) for n in range(8)))

log = EventLog.open(sys.argv[1])
for i in range(5):
    acknowledge(log.append(batch("s", i), handler="s"))
asyncio.run(main(log))
"""


def test_kill_at_any_moment_leaves_every_acknowledged_append(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    acknowledged: dict[int, str] = {}
    for milliseconds in (0, 3, 11, 40, 90, 200):
        process = subprocess.Popen([sys.executable, "-c", APPENDER, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        output = process.stdout.readline()
        time.sleep(milliseconds / 1000)
        os.kill(process.pid, signal.SIGKILL)
        output += process.stdout.read()
        process.wait()
        *lines, _torn = output.decode().split("\n")
        acknowledged.update((int(position), chain_hash) for position, chain_hash in map(str.split, lines))
        with EventLog.open(path) as log:
            report = log.verify()
            assert report.ok, report.problem
            found = {row.position: row.chain_hash for row in log.raw()}
        assert list(found) == list(range(1, len(found) + 1))
        assert {position: found.get(position) for position in acknowledged} == acknowledged
    assert len(acknowledged) > 50


def test_a_follower_sees_what_another_process_appends(path: Path) -> None:
    code = (
        "import sys; from agent0es.log import EventLog; from tests.unit.log.samples import new\n"
        "with EventLog.open(sys.argv[1]) as log:\n"
        "    for i in range(20): log.append([new('run/q', i + 1), new('run/r', i + 1)], handler='other')"
    )
    with EventLog.open(path, read_only=True) as log:
        process = subprocess.Popen([sys.executable, "-c", code, str(path)])
        followed = log.subscribe(after=1, run="q")
        numbers = [next(followed).event.iteration for _ in range(20)]  # type: ignore[union-attr]
        process.wait()
        assert numbers == list(range(1, 21))
        with log.recorder.subscribe(gt=1, topics=["IterationStarted@1"]) as subscription:
            assert [next(subscription).id for _ in range(40)] == list(range(2, 42))


def test_a_follower_is_woken_at_once_and_ends_with_the_log(path: Path) -> None:
    log = EventLog.open(path)
    seen: list[tuple[int, float]] = []
    thread = threading.Thread(
        target=lambda: seen.extend((r.position, time.monotonic()) for r in log.subscribe(after=1))
    )
    thread.start()
    time.sleep(0.1)
    appended = []
    for _ in range(3):
        log.append([new("run/r")], handler="h")
        appended.append(time.monotonic())
        time.sleep(0.1)
    log.close()
    thread.join(5)
    assert not thread.is_alive()
    assert [position for position, _ in seen] == [2, 3, 4]
    assert min(at - when for (_, at), when in zip(seen, appended, strict=True)) < 0.04, "sooner than by looking"


def test_readers_and_writers_of_two_processes_miss_nothing(path: Path) -> None:
    """Four threads here and another process append; two readers page through as it grows."""
    code = (
        "import sys; from agent0es.log import EventLog; from tests.unit.log.samples import new\n"
        "with EventLog.open(sys.argv[1]) as log:\n"
        "    for i in range(60): log.append([new(f'task/q/{i % 5}')] * 3, handler='other')"
    )
    with EventLog.open(path) as log:
        process = subprocess.Popen([sys.executable, "-c", code, str(path)])
        done = threading.Event()
        seen: list[list[int]] = [[], []]

        def follow(positions: list[int]) -> None:
            while True:
                last = done.is_set()
                positions.extend(row.position for row in log.raw(after=positions[-1] if positions else 0))
                if last:
                    return

        def write(name: int) -> None:
            for i in range(60):
                log.append([new(f"task/r/{name}-{i % 5}")] * 3, handler=f"h{name}")

        readers = [threading.Thread(target=follow, args=(positions,)) for positions in seen]
        writers = [threading.Thread(target=write, args=(name,)) for name in range(4)]
        for thread in (*readers, *writers):
            thread.start()
        for thread in writers:
            thread.join()
        assert process.wait() == 0
        done.set()
        for thread in readers:
            thread.join()
        assert seen[0] == seen[1] == list(range(1, 1 + 1 + 5 * 60 * 3))
        assert log.verify().ok
