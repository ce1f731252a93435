"""Have a run driven by a process of its own, which goes on when the one that started it ends or is killed, and have it
stopped. What drives it is `agent0es run` itself, with the lease as ever."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agent0es.errors import Agent0Error, RunInUse, RunNotDriven, UserError
from agent0es.log import EventLog

if TYPE_CHECKING:
    from agent0es.configuration import Configuration

FOLDER = "launched"
"""In the store: what the processes print."""
PATIENCE_SECONDS = 600.0
"""How long a process may take to load its models and begin."""
POLL_SECONDS = 0.05
MISTAKE = 2
"""Exit code of `agent0es` for what a user can mend."""


class LaunchFailed(UserError):
    """The process that was to drive a run has refused to; the message is what it said."""


class Launched(NamedTuple):
    """What came of a process."""

    run: str
    driven: bool
    """Whether it drives the run still."""


class Launching:
    """Starts processes for the runs of a store. May be used by many threads at once."""

    def __init__(self, store: Path, log: EventLog, url: str | None = None, hidden: Iterable[str] = ()) -> None:
        """`url` is that of the log where it is not in the store; `hidden` are variables of the environment that the
        processes do not get."""
        self._store, self._log = store, log
        self._environment = {name: value for name, value in os.environ.items() if name not in hidden}
        if url is not None:
            self._environment["AGENT0ES_LOG__URL"] = url
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, settings: Mapping[str, Any]) -> str:
        """A new run with these settings, e.g. {"execution.iterations": 2}. Returns its name when it has begun.

        Raises ConfigurationError at once for a setting that is wrong, LaunchFailed for what the process found.
        """
        self.configuration(settings)
        return self._launched("run", *_set(settings)).run

    def fork(self, parent: str, position: int, settings: Mapping[str, Any], *, drive: bool) -> str:
        """A new run that continues another one; driven too, or left for `resume`. Returns its name."""
        words = ["fork", parent, "--at", str(position), *_set(settings)]
        return self._launched(*words, *(() if drive else ("--no-run",))).run

    def resume(self, run: str) -> bool:
        """Go on with a run. False where there was nothing left to do. Raises RunInUse, LaunchFailed."""
        if driver := self._log.drivers().get(run):
            raise RunInUse(f"run {run} is driven by process {driver.pid} on {driver.host}")
        return self._launched("run", "--resume", run).driven

    def stop(self, run: str) -> None:
        """Tell the process that drives a run to stop; what it did is kept, and it can be resumed. Raises
        RunNotDriven."""
        driver = self._log.drivers().get(run)
        if driver is None:
            raise RunNotDriven(f"run {run} is not running")
        if driver.host != socket.gethostname() or driver.pid == os.getpid():
            raise RunNotDriven(f"run {run} is driven by process {driver.pid} on {driver.host}; stop it there")
        try:
            os.kill(driver.pid, signal.SIGTERM)
        except ProcessLookupError:
            raise RunNotDriven(f"run {run} is not running any more") from None

    @staticmethod
    def configuration(settings: Mapping[str, Any]) -> "Configuration":
        """The configuration with these settings. Raises ConfigurationError."""
        from agent0es.configuration import load_configuration

        return load_configuration(overrides=overrides(settings))

    def _launched(self, *words: str) -> "Launched":
        """Start `agent0es` with these words, and wait until it drives a run, or has ended."""
        self._children = [child for child in self._children if child.poll() is None]
        folder = self._store / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        said = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}.txt"
        with said.open("wb") as out:
            child = subprocess.Popen(
                [sys.executable, "-m", "agent0es", *words, "--store", str(self._store), "--json"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self._environment,
                start_new_session=True,  # what ends the one that started it does not end this one
            )
        self._children.append(child)
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            code = child.poll()
            if run := self._driven_by(child.pid):
                return Launched(run, driven=True)
            if code is not None:
                return self._ended(code, said)
            if time.monotonic() > until:
                child.terminate()
                raise LaunchFailed(
                    f"the run did not begin within {PATIENCE_SECONDS:g} seconds; {said} has what it said"
                )
            time.sleep(POLL_SECONDS)

    def _driven_by(self, pid: int) -> str:
        """The run that a process of this machine drives, once the log has its beginning."""
        here, known = socket.gethostname(), set(self._log.runs())
        driven = (run for run, driver in self._log.drivers().items() if (driver.host, driver.pid) == (here, pid))
        return next((run for run in driven if run in known), "")

    def _ended(self, code: int, said: Path) -> "Launched":
        """What a process that has ended before it was seen to drive anything comes to."""
        lines = [line for line in said.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        if code == 0:
            return Launched(str(json.loads(lines[-1])["run"]), driven=False)
        last = lines[-1].removeprefix("agent0es: ") if lines else f"it ended with exit code {code}"
        if code == MISTAKE:
            said.unlink()
            raise LaunchFailed(last)
        raise Agent0Error(f"the process that was to drive the run failed: {last}; {said} has all of it")


def _set(settings: Mapping[str, Any]) -> list[str]:
    return [word for pair in overrides(settings) for word in ("--set", pair)]


def overrides(settings: Mapping[str, Any]) -> list[str]:
    """Settings as `--set` takes them: KEY=VALUE, the value written as JSON, which is YAML."""
    return [f"{key}={json.dumps(value)}" for key, value in settings.items()]
