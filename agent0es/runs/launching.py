"""Have a run driven by a process of its own, and stop one: what a face does that is no command line.

The process is the command that a person would have typed. It outlives who started it, and holds the run's lease.
"""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agent0es.bootstrap import LOG_URL
from agent0es.configuration.loading import SERVICE_TOKEN
from agent0es.configuration.secrets import url_without_secrets
from agent0es.errors import Agent0Error, RunInUse, RunNotDriven, UserError
from agent0es.log import EventLog
from agent0es.log.lease import Driver

if TYPE_CHECKING:
    from agent0es.configuration import Configuration

FOLDER = "launched"
"""In the store: what the processes print, a file for each."""
PATIENCE_SECONDS = 600.0
"""How long a process may take to load its models and begin."""
SHORT_SECONDS = 60.0
"""And how long one that loads none may take to its end."""
POLL_SECONDS = 0.05
MISTAKE = 2
"""Exit code of `agent0es` for what a user can mend."""


class LaunchFailed(UserError):
    """A process that was to drive a run, or to do something else, has refused to; the message is what it said."""


class Settings(NamedTuple):
    """Where the settings of a new run come from, beside the environment: what a service was started with."""

    file: Path | None = None
    """YAML."""
    overrides: tuple[str, ...] = ()
    """KEY=VALUE."""

    @property
    def words(self) -> list[str]:
        """As options of a command."""
        named = [] if self.file is None else ["--config", str(self.file)]
        return [*named, *set_words(self.overrides)]

    def load(self, changed: Sequence[str] = ()) -> "Configuration":
        """The configuration of a run with these KEY=VALUE pairs changed. Raises ConfigurationError."""
        from agent0es.configuration import load_configuration

        return load_configuration(self.file, (*self.overrides, *changed))


def command(store: Path, words: Sequence[str], url: str | None = None) -> str:
    """What a person would type for the same; with `url` where the log is not in the store, its password hidden."""
    where = "" if url is None else f"{LOG_URL}={shlex.quote(url_without_secrets(url))} "
    return where + shlex.join(["agent0es", *with_store(store, words)])


def with_store(store: Path, words: Sequence[str]) -> list[str]:
    """The words of a command with the store that it is for; what follows `--` is another command's."""
    end = words.index("--") if "--" in words else len(words)
    return [*words[:end], "--store", str(store), *words[end:]]


def overrides(settings: Mapping[str, Any]) -> list[str]:
    """Settings, e.g. {"execution.iterations": 2}, as `--set` takes them: a value written as JSON, which is YAML."""
    return [f"{key}={json.dumps(value)}" for key, value in settings.items()]


def set_words(pairs: Sequence[str]) -> list[str]:
    """KEY=VALUE pairs as words of a command."""
    return [word for pair in pairs for word in ("--set", pair)]


def launch_run(log: EventLog, store: Path, words: Sequence[str]) -> str:
    """Start a command that begins a run. Returns the run's name when the log has its beginning.

    Raises LaunchFailed with the line in which the command said what is wrong.
    """
    said, child = _launch(store, [*with_store(store, words), "--json"])
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        code = child.poll()
        if run := _driven_by(log, child.pid):
            return run
        if code is not None:
            _must_be_done(code, said)
            return str(json.loads(_lines(said)[-1])["run"])
        time.sleep(POLL_SECONDS)
    child.terminate()
    raise LaunchFailed(f"the run did not begin within {PATIENCE_SECONDS:g} seconds; {said} has what it said")


def launch_resume(log: EventLog, store: Path, run: str) -> bool:
    """Go on with a run. False where there was nothing left to do. Raises RunInUse, LaunchFailed."""
    if driver := log.drivers().get(run):
        raise RunInUse(f"run {run} is driven by process {driver.pid} on {driver.host}")
    said, child = _launch(store, [*with_store(store, ["run", "--resume", run]), "--json"])
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        code = child.poll()
        if _driven_by(log, child.pid) == run:
            return True
        if code is not None:
            _must_be_done(code, said)
            return False
        time.sleep(POLL_SECONDS)
    child.terminate()
    raise LaunchFailed(f"run {run} did not go on within {PATIENCE_SECONDS:g} seconds; {said} has what it said")


def run_to_its_end(store: Path, words: Sequence[str]) -> None:
    """Run a command that is soon over. Raises LaunchFailed with the line in which it said what is wrong."""
    said, child = _launch(store, with_store(store, words))
    try:
        code = child.wait(SHORT_SECONDS)
    except subprocess.TimeoutExpired:
        child.terminate()
        raise LaunchFailed(
            f"`{words[0]}` did not end within {SHORT_SECONDS:g} seconds; {said} has what it said"
        ) from None
    _must_be_done(code, said)
    said.unlink()


def how_to_stop(log: EventLog, run: str) -> str:
    """What a person would type to stop a run. Raises RunNotDriven."""
    driver = _driver(log, run)
    return f"kill -TERM {driver.pid}    # on {driver.host}; or Ctrl-C where it was started"


def stop(log: EventLog, run: str) -> None:
    """Have the process that drives a run stop cleanly, as Ctrl-C does. Raises RunNotDriven where it can't be told."""
    driver = _driver(log, run)
    if driver.host != socket.gethostname() or driver.pid == os.getpid():
        raise RunNotDriven(f"run {run} is driven by process {driver.pid} on {driver.host}; stop it there")
    try:
        os.kill(driver.pid, signal.SIGTERM)
    except ProcessLookupError:
        raise RunNotDriven(f"run {run} is not running any more") from None


def _driver(log: EventLog, run: str) -> Driver:
    driver = log.drivers().get(run)
    if driver is None:
        raise RunNotDriven(f"run {run} is not being driven, so there is nothing to stop")
    return driver


def _launch(store: Path, words: Sequence[str]) -> "tuple[Path, subprocess.Popen[bytes]]":
    """Start a command in the background. What it prints goes to the file."""
    folder = store / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    said = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}.txt"
    with said.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "agent0es", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={name: value for name, value in os.environ.items() if name != SERVICE_TOKEN},
            start_new_session=True,  # what ends the one that started it does not end this one
        )
    threading.Thread(target=child.wait, daemon=True).start()  # or it would stay as a zombie
    return said, child


def _driven_by(log: EventLog, pid: int) -> str:
    """The run that a process of this machine drives, once the log has its beginning."""
    here, known = socket.gethostname(), set(log.runs())
    driven = (run for run, driver in log.drivers().items() if (driver.host, driver.pid) == (here, pid))
    return next((run for run in driven if run in known), "")


def _must_be_done(code: int, said: Path) -> None:
    """Raise what a process has said that ended before it was seen to drive anything."""
    if code == 0:
        return
    lines = _lines(said)
    last = lines[-1].removeprefix("agent0es: ") if lines else f"it ended with exit code {code}"
    if code == MISTAKE:
        said.unlink()
        raise LaunchFailed(last)
    raise Agent0Error(f"the process that was to do it failed: {last}; {said} has all of it")


def _lines(said: Path) -> list[str]:
    return [line for line in said.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
