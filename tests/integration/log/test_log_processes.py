"""Several processes at the same log, on a file and on a server: nothing is lost, nobody misses anything."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from agent0es.log import EventLog
from tests.unit.log.samples import begin, new


@pytest.fixture
def path(address: str) -> str:
    with EventLog.open(address) as log:
        begin(log)
    return address


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


def test_kill_at_any_moment_leaves_every_acknowledged_append(address: str) -> None:
    acknowledged: dict[int, str] = {}
    for milliseconds in (0, 11, 90) if "://" in address else (0, 3, 11, 40, 90, 200):
        process = subprocess.Popen([sys.executable, "-c", APPENDER, address], stdout=subprocess.PIPE)
        assert process.stdout is not None
        output = b"".join(process.stdout.readline() for _ in range(9))
        time.sleep(milliseconds / 1000)
        os.kill(process.pid, signal.SIGKILL)
        output += process.stdout.read()
        process.wait()
        *lines, _torn = output.decode().split("\n")
        acknowledged.update((int(position), chain_hash) for position, chain_hash in map(str.split, lines))
        with EventLog.open(address) as log:
            report = log.verify()
            assert report.ok, report.problem
            found = {row.position: row.chain_hash for row in log.raw()}
        assert list(found) == list(range(1, len(found) + 1))
        assert {position: found.get(position) for position in acknowledged} == acknowledged
    assert len(acknowledged) >= 3 * 9


def test_a_follower_sees_what_another_process_appends(path: str) -> None:
    code = (
        "import sys; from agent0es.log import EventLog; from tests.unit.log.samples import new\n"
        "with EventLog.open(sys.argv[1]) as log:\n"
        "    for i in range(20): log.append([new('run/q', i + 1), new('run/r', i + 1)], handler='other')"
    )
    with EventLog.open(path, read_only=True) as log:
        process = subprocess.Popen([sys.executable, "-c", code, path])
        followed = log.subscribe(after=1, run="q")
        numbers = [next(followed).event.iteration for _ in range(20)]  # type: ignore[union-attr]
        process.wait()
        assert numbers == list(range(1, 21))
        with log.recorder.subscribe(gt=1, topics=["IterationStarted@1"]) as subscription:
            assert [next(subscription).id for _ in range(40)] == list(range(2, 42))


def test_a_follower_is_woken_at_once_and_ends_with_the_log(path: str) -> None:
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


WRITER = """
import random, sys, threading
from agent0es.errors import ConcurrencyError
from agent0es.log import EventLog
from tests.unit.log.samples import new

def work(log, name):
    chance = random.Random(name)
    for i in range(25):
        log.append([new(f"task/{name}/{i % 5}")] * chance.randint(1, 4), handler=name)
        if i % 5 == 0:  # one that is taken back after it was given positions
            try:
                log.append([new(f"task/{name}/{i}"), new("task/r/contested")], handler=name)
            except ConcurrencyError:
                pass

with EventLog.open(sys.argv[1]) as log:
    threads = [threading.Thread(target=work, args=(log, f"{sys.argv[2]}-{n}")) for n in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


def test_readers_never_miss_an_event_of_several_writing_processes(path: str) -> None:
    """Four processes with two threads each append; three readers look on, each in another way."""
    with EventLog.open(path) as log, EventLog.open(path, read_only=True) as other:
        done = threading.Event()
        paged: list[int] = []
        followed: list[int] = []
        selected: list[int] = []

        def page() -> None:
            while True:
                last = done.is_set()
                paged.extend(row.position for row in other.raw(after=paged[-1] if paged else 0))
                if last:
                    return

        def select() -> None:
            while True:
                last = done.is_set()
                start = selected[-1] if selected else 0
                found = log.recorder.select_notifications(start, 7, inclusive_of_start=False)
                selected.extend(notification.id for notification in found)
                if last and len(found) < 7:
                    return

        def follow() -> None:
            followed.extend(recorded.position for recorded in other.subscribe())

        readers = [threading.Thread(target=target) for target in (page, select)]
        follower = threading.Thread(target=follow)
        writers = [subprocess.Popen([sys.executable, "-c", WRITER, path, name]) for name in "abcd"]
        for thread in (*readers, follower):
            thread.start()
        assert [process.wait() for process in writers] == [0, 0, 0, 0]
        done.set()
        for thread in readers:
            thread.join()
        head = log.head()
        assert head > 4 * 2 * 25
        deadline = time.monotonic() + 10
        while len(followed) < head and time.monotonic() < deadline:
            time.sleep(0.01)
        other.close()
        follower.join()
        assert paged == selected == followed == list(range(1, head + 1))
        assert log.verify().ok
