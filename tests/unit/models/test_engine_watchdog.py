"""The thread that ends an engine whose library hangs: `integration/models/test_engine.py` has a real one."""

import os
import subprocess
import sys

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
