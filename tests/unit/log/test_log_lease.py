import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from agent0es.errors import RunInUse
from agent0es.log import EventLog
from agent0es.log.lease import is_dead, process_identity
from agent0es.log.schema import leases
from tests.support.postgresql import Server
from tests.unit.log.samples import begin, new


@pytest.fixture
def path(address: str) -> str:
    with EventLog.open(address) as log:
        begin(log)
    return address


def put_lease(log: EventLog, *, host: str, pid: int, process: str, expires: float) -> None:
    row = {"run": "r", "token": "theirs", "host": host, "pid": pid, "process": process, "expires": expires}
    with log._datastore.write() as connection:
        connection.execute(insert(leases).values(row))


def test_a_second_driver_is_refused_and_told_by_whom(path: str) -> None:
    with EventLog.open(path) as one, EventLog.open(path) as two:
        with one.lease("r"):
            with (
                pytest.raises(RunInUse, match=rf"run r is driven by process {os.getpid()} on .*stop that process"),
                two.lease("r"),
            ):
                pass
            with two.lease("another"):
                assert one.drivers().keys() == {"r", "another"}
            assert two.drivers() == {"r": (socket.gethostname(), os.getpid())}
        assert two.drivers() == {}
        with two.lease("r"):
            pass


def test_the_lease_of_a_dead_process_is_taken_over_at_once(path: str) -> None:
    code = (
        "import os, sys; from agent0es.log import EventLog\n"
        "log = EventLog.open(sys.argv[1]); lease = log.lease('r', ttl=1000); lease.__enter__(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, path], check=False)
    with EventLog.open(path) as log:
        with log._datastore.read() as connection:
            assert len(connection.execute(leases.select()).fetchall()) == 1
        assert log.drivers() == {}, "nobody drives it"
        with log.lease("r"):
            log.append([new("run/r")], handler="h")


def test_a_lease_that_ran_out_is_taken_over(path: str) -> None:
    with EventLog.open(path) as log:
        put_lease(log, host="elsewhere", pid=1, process="?", expires=time.time() - 1)
        with log.lease("r"):
            pass


def test_of_another_host_nothing_is_sure(path: str) -> None:
    with EventLog.open(path) as log:
        put_lease(log, host="elsewhere", pid=1, process="?", expires=time.time() + 60)
        with pytest.raises(RunInUse, match="process 1 on elsewhere"), log.lease("r"):
            pass


def test_the_heartbeat_renews(path: str) -> None:
    with EventLog.open(path) as log, log.lease("r", ttl=0.3), log._datastore.read() as connection:
        query = leases.select()
        first = connection.execute(query).one().expires
        connection.rollback()
        time.sleep(0.4)
        second = connection.execute(query).one().expires
        assert second > first
        assert second > time.time()


def test_whoever_lost_the_lease_appends_nothing_more(path: str) -> None:
    with EventLog.open(path) as sleeper, EventLog.open(path) as other, sleeper.lease("r", ttl=60):
        with other._datastore.write() as connection:  # the sleeper slept, and its lease ran out
            connection.execute(update(leases).values(expires=0.0))
        with other.lease("r"):
            head = other.head()
            with pytest.raises(RunInUse, match="lost its lease to process"):
                sleeper.append([new("run/r")], handler="h")
            sleeper.append([new("run/unleased")], handler="h")
            assert other.head() == head + 1
            other.append([new("run/r")], handler="h")
        with pytest.raises(RunInUse, match="lost its lease"):
            sleeper.append([new("run/r")], handler="h")


async def test_a_lost_lease_does_not_hinder_other_runs_in_the_same_transaction(path: str) -> None:
    import asyncio

    with EventLog.open(path) as log, log.lease("r"):
        with EventLog.open(path) as other, other._datastore.write() as connection:
            connection.execute(update(leases).values(token="theirs"))
        lost, kept = await asyncio.gather(
            log.append_async([new("task/r/1")], handler="h"),
            log.append_async([new("task/q/1")], handler="h"),
            return_exceptions=True,
        )
    assert isinstance(lost, RunInUse)
    assert isinstance(kept, list)


def test_a_clock_that_is_set_back_breaks_no_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite the clock is the machine's; the server's on PostgreSQL is another matter."""
    with EventLog.open(tmp_path / "log.db") as one, EventLog.open(tmp_path / "log.db") as two, one.lease("r", ttl=0.3):
        [before] = one.append([new("run/r")], handler="h")
        now = time.time
        monkeypatch.setattr("time.time", lambda: now() - 3600)
        time.sleep(0.3)  # the heart beats on
        with pytest.raises(RunInUse), two.lease("r"):
            pass
        [after] = one.append([new("run/r")], handler="h")
        assert after.meta.time < before.meta.time
        assert [row.position for row in two.raw()] == [before.position, after.position] == [1, 2]
        assert two.verify().ok
        with two._datastore.read() as connection:
            assert connection.execute(leases.select()).one().expires < now() - 3000, "renewed by the clock as it is now"


def test_on_a_server_its_clock_counts(postgresql: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url = postgresql.new_url()
    with EventLog.open(url) as one, EventLog.open(url) as two:
        put_lease(one, host="elsewhere", pid=1, process="?", expires=time.time() + 60)
        now = time.time
        monkeypatch.setattr("time.time", lambda: now() + 3600)
        with pytest.raises(RunInUse, match="process 1 on elsewhere"), two.lease("r"):
            pass


def test_an_ended_lease_leaves_no_thread_and_no_row(path: str) -> None:
    before = threading.active_count()
    with EventLog.open(path) as log:
        with log.lease("r"):
            assert threading.active_count() == before + 1
        assert threading.active_count() == before
        with log._datastore.read() as connection:
            assert connection.execute(leases.select()).fetchall() == []


def test_a_process_is_told_from_another_of_the_same_number() -> None:
    own = process_identity(os.getpid())
    assert own is not None
    assert process_identity(2**22 + 1) is None
    import socket

    host = socket.gethostname()
    assert not is_dead(host, os.getpid(), own)
    assert is_dead(host, os.getpid(), own + "0"), "another start: the number was used again"
    assert is_dead(host, 2**22 + 1, own)
    assert not is_dead(host, 2**22 + 1, "another-boot pid:[1] 5"), "not of this machine's world: only time tells"
    assert not is_dead("elsewhere", 2**22 + 1, own)


def test_a_zombie_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    deadline = time.monotonic() + 10
    while process_identity(process.pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process_identity(process.pid) is None
    process.wait()
