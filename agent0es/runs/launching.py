"""Have a run driven by a process of its own, and stop one: what a face does that is no command line.

The process is the command that a person would have typed. It outlives who started it, and holds the run's lease.
"""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from agent0es.errors import RunInUse, UserError
from agent0es.log import EventLog
from agent0es.log.lease import Driver

OUTPUT_FILE = "launched.txt"
"""What the process wrote that was started last, in the store."""
SOON_SECONDS = 30.0
"""How long to wait for a new run's first event."""
POLL_SECONDS = 0.1


def command(store: Path, words: Sequence[str]) -> str:
    """What a person would type for the same."""
    return shlex.join(["agent0es", *words, "--store", str(store)])


def launch(store: Path, words: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start a command in a process of its own, in the background."""
    with (store / OUTPUT_FILE).open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "agent0es", *words, "--store", str(store)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def launch_run(log: EventLog, store: Path, words: Sequence[str]) -> str:
    """Start a command that begins a run, and wait for the run's name. Raises UserError with what the command said when
    it ends before."""
    before = set(log.runs())
    process = launch(store, words)
    until = time.monotonic() + SOON_SECONDS
    while time.monotonic() < until:
        ended = process.poll()
        for run in log.runs():
            if run not in before:
                return run
        if ended is not None:
            said = (store / OUTPUT_FILE).read_text(encoding="utf-8", errors="replace").strip()
            raise UserError(said.splitlines()[-1] if said else f"the command ended with {ended}")
        time.sleep(POLL_SECONDS)
    raise UserError(f"the run has not begun within {SOON_SECONDS:g} s; {store / OUTPUT_FILE} has what it says")


def launch_resume(log: EventLog, store: Path, run: str) -> None:
    """Go on with a run that nobody drives. Raises RunInUse."""
    if run in log.drivers():
        raise RunInUse(f"run {run} is being driven already")
    process = launch(store, ["run", "--resume", run])
    until = time.monotonic() + SOON_SECONDS
    while time.monotonic() < until and process.poll() is None and run not in log.drivers():
        time.sleep(POLL_SECONDS)
    if process.poll():
        said = (store / OUTPUT_FILE).read_text(encoding="utf-8", errors="replace").strip()
        raise UserError(said.splitlines()[-1] if said else f"the command ended with {process.returncode}")


def how_to_stop(log: EventLog, run: str) -> str:
    """What a person would type to stop a run. Raises UserError where nobody drives it."""
    driver = _driver(log, run)
    return f"kill -TERM {driver.pid}    # on {driver.host}; or Ctrl-C where it was started"


def stop(log: EventLog, run: str) -> None:
    """Have the process that drives a run stop cleanly, as Ctrl-C does. Raises UserError where it can't be told."""
    driver = _driver(log, run)
    if driver.host != socket.gethostname():
        raise UserError(f"run {run} is driven by process {driver.pid} on {driver.host}; stop it there")
    os.kill(driver.pid, signal.SIGTERM)


def _driver(log: EventLog, run: str) -> Driver:
    driver = log.drivers().get(run)
    if driver is None:
        raise UserError(f"run {run} is not being driven, so there is nothing to stop")
    return driver
