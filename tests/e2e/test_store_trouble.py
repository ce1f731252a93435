"""A full disk, a store that can't be written, a locked log: one clear line, exit code 2, and the run goes on later."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.crashes import Killed, check, check_complete
from tests.support.small_disk import remount, small_disk

TASKS, ITERATIONS = 6, 1
RESUME = ("run", "--resume", "latest")


def new_run(*more: str) -> tuple[str, ...]:
    """A short run on a script that trains nothing."""
    config = Path(__file__).with_name("killed.yaml")
    script = "tests.support.crashes:respond"
    models = [
        f"models.{role}.{key}" for role in ("student", "teacher") for key in ("backend=scripted", f"name={script}")
    ]
    sizes = [f"execution.iterations={ITERATIONS}", f"execution.tasks_per_iteration={TASKS}"]
    return ("run", "--config", str(config), *(part for each in [*models, *sizes] for part in ("--set", each)), *more)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 8192) as disk:
        yield disk


def fill(disk: Path, leaving: int) -> Path:
    """A file that takes the disk's room but for so many bytes."""
    found = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(found.f_bavail * found.f_frsize - leaving))
    return filler


def test_a_disk_that_fills_up_stops_the_run_and_loses_nothing(disk: Path) -> None:
    killed = Killed(disk)
    filler = fill(disk, leaving=600_000)
    assert killed.run(*new_run()) == 2, killed.output()
    assert "the disk is full; free some space" in killed.refusal()
    assert killed.head > 20, "it had begun"
    check(killed)
    assert killed.run(*RESUME) == 2, killed.output()
    assert "the disk is full; free some space" in killed.refusal()
    filler.unlink()
    assert killed.run(*RESUME) == 0, killed.output()
    check_complete(killed, TASKS, ITERATIONS)


def test_a_full_disk_when_the_dataset_is_written_is_told(tmp_path: Path) -> None:
    killed = Killed(tmp_path / "store")
    killed.store.mkdir()
    with small_disk(killed.store / "datasets", 64) as disk:
        filler = fill(disk, leaving=0)
        assert killed.run(*new_run("--set", "training.minimum_examples=1000")) == 2, killed.output()
        assert "student-1.jsonl: the disk is full; free some space" in killed.refusal()
        filler.unlink()
        assert killed.run(*RESUME) == 0, killed.output()
    check_complete(killed, TASKS, ITERATIONS)


def test_a_store_that_can_only_be_read_is_refused(disk: Path) -> None:
    killed = Killed(disk)
    assert killed.run(*new_run(), kill_when=lambda position, _: position > 20) == -9
    before = check(killed)
    remount(disk, "ro")
    for arguments in (new_run(), RESUME):
        assert killed.run(*arguments) == 2, killed.output()
        assert "the log or its folder can't be written; check the permissions" in killed.refusal()
    assert check(killed) == before
    remount(disk, "rw")
    assert killed.run(*RESUME) == 0, killed.output()
    check_complete(killed, TASKS, ITERATIONS)


def test_a_log_that_another_program_keeps_locked_is_told(tmp_path: Path) -> None:
    killed = Killed(tmp_path / "store")
    impatient = {"LOG_BUSY_SECONDS": "0.2"}
    codes: list[int] = []
    run = threading.Thread(target=lambda: codes.append(killed.run(*new_run(), environment=impatient)))
    run.start()
    deadline = time.monotonic() + 120
    while killed.head < 20:
        assert time.monotonic() < deadline, killed.output()
        time.sleep(0.01)
    other = sqlite3.connect(killed.store / "log.db", isolation_level=None, timeout=60)
    other.execute("BEGIN IMMEDIATE")
    run.join(120)
    assert codes == [2], killed.output()
    assert "another process keeps the log locked; try again, or stop that process" in killed.refusal()
    check(killed)
    assert killed.run(*RESUME, environment=impatient) == 2
    assert "another process keeps the log locked" in killed.refusal()
    other.execute("ROLLBACK")
    other.close()
    assert killed.run(*RESUME) == 0, killed.output()
    check_complete(killed, TASKS, ITERATIONS)
