"""Whether a child process gets on is told from what it does, and not from how long it takes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agent0es.models import child_process
from agent0es.models.child_process import Progress


@contextmanager
def child(code: str) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", f"print(flush=True)\n{code}"], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process.pid
        finally:
            process.kill()


def looks(process: int, awaited: bool = True) -> list[bool]:
    progress, found = Progress(process), []
    for _ in range(5):
        found.append(progress.stalled(awaited=awaited))
        time.sleep(0.05)
    return found


@pytest.fixture(autouse=True)
def _three_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "STALLED_SECONDS", 3)


def test_a_child_that_works_gets_on_however_little() -> None:
    with child("import time\nwhile True: sum(range(300_000)); time.sleep(0.01)") as process:
        assert not any(looks(process))


def test_a_child_that_is_stopped_or_waits_for_ever_does_not() -> None:
    with child("while True: pass") as process:
        os.kill(process, signal.SIGSTOP)
        assert looks(process)[-1]
        os.kill(process, signal.SIGCONT)
        assert not any(looks(process))
    with child("import threading; threading.Event().wait()") as process:
        time.sleep(0.1)
        assert looks(process) == [False, False, False, True, True]
        assert not any(looks(process, awaited=False)), "nobody waits for it"


def test_where_nothing_can_be_seen_a_child_is_believed_to_get_on() -> None:
    assert not any(looks(2**22 + 1))
