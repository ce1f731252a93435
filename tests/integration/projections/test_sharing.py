"""Many processes look at one store at the same moment: the log is folded once, whoever reads, writes or is killed."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent0es.log import EventLog
from agent0es.projections import PROJECTIONS_FILE, Projections, fold
from tests.unit.projections.history import history, interleave
from tests.unit.projections.test_fold import contents

ROOT = Path(__file__).parents[3]
READERS = 4
READER = """
import json, sys, time
from pathlib import Path
from agent0es.log import EventLog
from agent0es.projections import PROJECTIONS_FILE, Projections
store, read = Path(sys.argv[1]), []
whole = EventLog.arrow
def arrow(log, after=0, limit=None):
    batch = whole(log, after, limit)
    read.append((after, batch.num_rows))
    return batch
EventLog.arrow = arrow
with EventLog.open(store / "log.db", read_only=True) as log, Projections.open(log, store / PROJECTIONS_FILE) as tables:
    print(flush=True)
    sys.stdin.readline()
    head = log.head()
    tables.catch_up()
    [(count,)] = tables.query("SELECT count(*) FROM events").rows
    assert tables.kept and count == tables.position >= head, (tables.kept, count, head)
    print(json.dumps([after for after, rows in read if rows]), flush=True)
    sys.stdin.readline()
"""
"""Catches up when it is told to, says after which positions it folded, and keeps the tables open until told again."""
WRITER = """
import random, sys
from agent0es.log import EventLog
from tests.unit.projections.history import history
with EventLog.open(sys.argv[1]) as log:
    for number in range(1000):
        for event in history(random.Random(number), f"w{number}"):
            log.append([event], handler="test")
"""


def fold_at_once(store: Path) -> list[int]:
    """After which positions the readers folded, all of them told at the same moment."""
    command = [sys.executable, "-c", READER, str(store)]
    readers = [subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, text=True) for _ in range(READERS)]
    for reader in readers:
        assert reader.stdout is not None
        reader.stdout.readline()
    for reader in readers:
        assert reader.stdin is not None
        reader.stdin.write("\n")
        reader.stdin.flush()
    answers = [reader.stdout.readline() for reader in readers if reader.stdout is not None]
    for reader in readers:
        reader.communicate("\n")
        assert reader.returncode == 0
    return [after for answer in answers for after in json.loads(answer)]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    events = interleave(random.Random(0), [history(random.Random(n), f"r{n}", iterations=2) for n in range(4)])
    with EventLog.open(tmp_path / "log.db") as log:
        log.append(events, handler="test")
    return tmp_path


def test_readers_at_once_fold_the_log_once_while_a_run_writes(store: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(store / "log.db")], cwd=ROOT) as writer:
        try:
            assert fold_at_once(store).count(0) == 1
            with (
                EventLog.open(store / "log.db", read_only=True) as log,
                Projections.open(log, store / PROJECTIONS_FILE) as tables,
            ):
                tables.catch_up()
                position, answer = tables.position, tables.query("SELECT position FROM events ORDER BY ALL").rows
                read = [next(answer)]
                assert fold_at_once(store).count(0) == 0, "somebody is looking, which is no reason to fold again"
                assert [*read, *answer] == [(number,) for number in range(1, position + 1)]
        finally:
            writer.kill()


def test_an_owner_that_is_killed_leaves_what_it_had_and_nobody_waits(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fold, "BATCH_EVENTS", 100)
    with EventLog.open(store / "log.db", read_only=True) as log:
        child = os.fork()
        if not child:
            monkeypatch.setattr(fold, "CHECKPOINT_EVENTS", 1)
            batches = itertools.count()

            def stay_in_the_second(point: str) -> None:
                if next(batches):
                    (store / "reached").touch()
                    time.sleep(60)

            monkeypatch.setattr(fold, "reach", stay_in_the_second)
            with EventLog.open(store / "log.db", read_only=True) as own:
                Projections.open(own, store / PROJECTIONS_FILE).catch_up()
            os._exit(0)
        while not (store / "reached").exists():
            time.sleep(0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        begin = time.monotonic()
        with Projections.open(log, store / PROJECTIONS_FILE) as tables, Projections.open(log) as expected:
            assert 0 < tables.position < log.head(), "its last checkpoint is there"
            tables.catch_up()
            expected.catch_up()
            assert tables.kept
            assert contents(tables) == contents(expected)
        assert time.monotonic() - begin < 20
