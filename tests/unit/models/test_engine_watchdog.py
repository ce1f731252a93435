"""The thread that ends an engine whose library hangs: `integration/models/test_engine.py` has a real one."""

import os
import subprocess
import sys
import time
from multiprocessing import Pipe

from agent0es.models.engine_child import Watchdog

PROGRAM = """
import time
from agent0es.models.engine_child import Watchdog
watchdog = Watchdog(0.5)
watchdog.look_out()
watchdog.rest()
time.sleep(1.5)
print("rested", flush=True)
watchdog.look_out()
time.sleep(60)
"""

TALKER = """
import os, sys
from multiprocessing.connection import Connection
from agent0es.models.engine_child import Batch, _serve

class Talker(Batch):
    busy, step_seconds = True, 0.5
    def step(self):
        return [bytes(2**22)]

Talker.__abstractmethods__ = frozenset()
_serve(Connection(int(sys.argv[1])), Talker(), os.getppid())
"""


def test_a_step_that_takes_too_long_ends_the_process_and_a_rest_does_not() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=50)
    assert (ended.returncode, ended.stdout) == (1, "rested\n")
    assert "Timeout" in ended.stderr


def test_steps_that_follow_each_other_share_one_thread() -> None:
    def threads() -> set[str]:
        return set(os.listdir("/proc/self/task"))  # noqa: PTH208 — names are all that is asked

    watchdog, before = Watchdog(60.0), threads()
    try:
        watchdog.look_out()
        [started] = threads() - before
        for _ in range(100):
            watchdog.look_out()
        assert started in threads()
    finally:
        watchdog.rest()


def test_an_answer_that_is_not_taken_yet_is_no_step() -> None:
    """The parent may be stopped for a while, by Ctrl-Z in its terminal; its engines are not."""
    ours, theirs = Pipe()
    command = [sys.executable, "-c", TALKER, str(theirs.fileno())]
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE) as child:
        theirs.close()
        ours.recv()
        time.sleep(1.5)
        assert child.poll() is None
        ours.recv()
        child.kill()
