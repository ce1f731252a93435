"""The clock of a service: starts the jobs that are due, those that were missed once, and those that were cut off.

All that it knows is in the log. Triggers are APScheduler's; its scheduler and its store of jobs are not used, because
they would be a second memory beside the log. One process does this for a store at a time, whichever has the lease
`schedules`.
"""

import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent0es.decisions import jobs
from agent0es.domain.names import SCHEDULES
from agent0es.errors import Agent0Error, RunInUse
from agent0es.log import EventLog
from agent0es.runs import scheduling
from agent0es.runs.jobs import JOBS

LOOK_SECONDS = 1.0
"""How often it is seen what is due."""
TRAJECTORIES_SECONDS = 60.0
"""How often trajectories are counted, where the log has grown."""
AGAIN_SECONDS = 30.0
"""After the process of a job ended without saying how it went, it is started again no sooner."""
FAILED_SECONDS = 3600.0
"""After a job failed that waits for trajectories, which are still there, it is started again no sooner."""
OTHER_SECONDS = 15.0
"""How often is seen whether nobody else has the clock any more."""
PATIENCE_SECONDS = 60.0
"""How long jobs may take to stop with the service."""

_log = logging.getLogger("agent0es.schedules")


@contextmanager
def running(store: Path, log: EventLog) -> Iterator[None]:
    """Start what is due, in the background, until the end of the block. Jobs that go on then are told to stop, and are
    resumed when a clock runs again."""
    clock = Clock(store, log)
    thread = threading.Thread(target=clock.run, name="schedules", daemon=True)
    thread.start()
    try:
        yield
    finally:
        clock.stop.set()
        thread.join()


@dataclass(slots=True)
class Clock:
    """Looks at the schedules every second."""

    store: Path
    log: EventLog
    stop: threading.Event = field(default_factory=threading.Event)
    _known: jobs.Schedules = field(default_factory=dict)
    _position: int = 0
    _children: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    _started: dict[str, tuple[float, jobs.Job | None]] = field(default_factory=dict)
    """When the process of a schedule was started last, by the monotonic clock, and what its job was before."""
    _counted: tuple[float, int, tuple[str, int]] = (float("-inf"), -1, ("", 0))
    """When trajectories were counted, at which position, and what there was."""

    def run(self) -> None:
        """Until `stop` is set. What goes wrong is said in the program's own log."""
        while not self.stop.is_set():
            try:
                with self.log.lease(SCHEDULES):
                    while not self.stop.wait(LOOK_SECONDS):
                        self.look()
            except RunInUse:
                self.stop.wait(OTHER_SECONDS)
            except Agent0Error as error:
                _log.error("nothing is started for %s seconds: %s", OTHER_SECONDS, error)
                self.stop.wait(OTHER_SECONDS)
            finally:
                self._stop_children()

    def look(self) -> None:
        """Start what is to be started now."""
        for one in self.log.read(run=SCHEDULES, after=self._position):
            self._known, self._position = jobs.follow(self._known, one.event, one.position, one.meta.time), one.position
        for name, child in list(self._children.items()):
            if child.poll() is not None:
                del self._children[name]
        for name, schedule in self._known.items():
            if name not in self._children and self._is_due(name, schedule):
                try:
                    self._start(name, schedule.job)
                except OSError as error:  # a full disk, too many processes: the other schedules go on
                    _log.error("the job of %s could not be started: %s", name, error)

    def _is_due(self, name: str, schedule: jobs.Schedule) -> bool:
        last, before = self._started.get(name, (float("-inf"), None))
        in_vain = schedule.job == before and time.monotonic() - last < AGAIN_SECONDS
        if in_vain:
            return False
        if (job := schedule.open) is not None:  # it goes on without us, or was cut off
            return not scheduling.is_running(self.log, job.name)
        if schedule.added.trajectories is not None:
            job = schedule.job
            failed = job is not None and job.finished is not None and job.finished.outcome == "failed"
            if failed and job is not None and time.time() - (job.ended or 0.0) < FAILED_SECONDS:
                return False
            return self._new_trajectories() >= schedule.added.trajectories
        due = scheduling.next_time(schedule)
        return due is not None and due <= time.time()

    def _new_trajectories(self) -> int:
        at, position, found = self._counted
        head = self.log.head()
        if time.monotonic() - at >= TRAJECTORIES_SECONDS and head != position:
            found = scheduling.new_trajectories(self.log)
            self._counted = (time.monotonic(), head, found)
        return found[1]

    def _start(self, name: str, job: jobs.Job | None) -> None:
        """The job's own process, in a session of its own: it outlives a service that is killed."""
        self._started[name] = (time.monotonic(), job)
        self._counted = (float("-inf"), -1, ("", 0))
        words = ["schedule", "run", name, "--due", "now", "--store", str(self.store.absolute())]
        folder = self.store / JOBS
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.log").open("ab") as output:  # what is wrong before there is a job
            self._children[name] = subprocess.Popen(
                [sys.executable, "-m", "agent0es", *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _stop_children(self) -> None:
        for child in self._children.values():
            with suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE_SECONDS
        for child in self._children.values():
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
        self._children.clear()
