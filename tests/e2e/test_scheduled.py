"""A service that is killed in the middle of a scheduled run: started again, it goes on. Nothing is lost or doubled.

All is real but the models' words: service, job and run are processes of their own, and they are killed.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agent0es.domain import events as ev
from agent0es.log import EventLog
from agent0es.runs import scheduling
from tests.support.commands import answer, json_answers
from tests.support.serving import ROOT, served

TASKS = 12
ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "AGENT0ES_MODELS__STUDENT__BACKEND": "scripted",
    "AGENT0ES_MODELS__STUDENT__NAME": "tests.support.scripted:respond",
    "AGENT0ES_MODELS__TEACHER__BACKEND": "scripted",
    "AGENT0ES_MODELS__TEACHER__NAME": "tests.support.scripted:respond",
    "AGENT0ES_EXECUTION__TASKS_IN_FLIGHT": "1",
    "AGENT0ES_TRAINING__ROLES": "[]",
}
RULES = ("--set", "alerts.rules.failure_rate.above=null", "--set", "alerts.rules.disk_full.above=null")
T = TypeVar("T")

pytestmark = pytest.mark.slow


def until(what: Callable[[], T], seconds: float = 600.0) -> T:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)
    return found


def events(store: Path, *kinds: type[ev.Event]) -> list[Any]:
    with EventLog.open(store / "log.db", read_only=True) as log:
        return [one.event for one in log.read(types=[kind.__name__ for kind in kinds])]


def processes(store: Path) -> dict[str, int]:
    """Lease to the process that holds it."""
    with EventLog.open(store / "log.db", read_only=True) as log:
        return {name: driver.pid for name, driver in log.drivers().items()}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    store = tmp_path / "store"
    store.mkdir()
    with EventLog.open(store / "log.db") as log:
        scheduling.add(
            log,
            scheduling.new_schedule(log, "soon", ["run", "--iterations", "1", "--tasks", str(TASKS)], every_seconds=2),
        )
    return store


def begun(store: Path) -> tuple[str, str]:
    """Wait for a job in the middle of its run. Names of both."""
    until(lambda: len(events(store, ev.Verified)) >= 3)
    [started] = events(store, ev.JobStarted)
    with EventLog.open(store / "log.db", read_only=True) as log:
        [run] = log.runs()
    return started.job, run


def check(store: Path, job: str, run: str) -> None:
    """One run, and all of it once."""
    with EventLog.open(store / "log.db", read_only=True) as log:
        assert log.verify().ok
        assert log.runs()[0] == run
        recorded = list(log.read(run=run))
    assert recorded[0].meta.measured["job"] == job
    happened = [one.event for one in recorded]
    assert [type(event) for event in happened].count(ev.RunCompleted) == 1
    done = [event.task for event in happened if isinstance(event, ev.TaskCompleted)]
    given_up = [e.task for e in happened if isinstance(e, ev.ProposalRejected) and e.tries_left == 0]
    assert sorted([*done, *given_up]) == list(range(1, TASKS + 1)), "every task ends once"
    [first, *_] = [event for event in events(store, ev.JobFinished) if event.job == job]
    assert (first.outcome, first.exit_code) == ("succeeded", 0)


def finished(store: Path, job: str) -> Callable[[], bool]:
    return lambda: any(event.job == job for event in events(store, ev.JobFinished))


def test_a_service_that_is_killed_takes_no_job_with_it(store: Path) -> None:
    with served(store, *RULES, environment=ENVIRONMENT) as service:
        job, run = begun(store)
        service.process.kill()
        service.process.wait()
        assert f"job-{job}" in processes(store)
        with served(store, *RULES, environment=ENVIRONMENT):
            until(finished(store, job))
            starts = [event.start for event in events(store, ev.JobStarted) if event.job == job]
            assert starts == [1], "it was left alone"
            answer(store, "schedule", "remove", "soon")
    check(store, job, run)


def test_a_job_and_its_run_that_were_killed_are_resumed_by_the_next_service(store: Path) -> None:
    with served(store, *RULES, environment=ENVIRONMENT) as service:
        job, run = begun(store)
        driven = processes(store)
        service.process.kill()
        service.process.wait()
        for name in (f"job-{job}", run):
            os.kill(driven[name], signal.SIGKILL)
    [row] = json_answers(store, "schedule", "list")
    assert (row["last_job"], row["status"]) == (job, "interrupted")
    with served(store, *RULES, environment=ENVIRONMENT):
        until(finished(store, job))
        answer(store, "schedule", "remove", "soon")
    starts = [(event.start, event.command) for event in events(store, ev.JobStarted) if event.job == job]
    assert [start for start, _ in starts] == [1, 2]
    assert starts[1][1] == ("run", "--resume", run)
    check(store, job, run)


def test_a_service_that_is_stopped_stops_its_job_which_is_resumed(store: Path) -> None:
    with served(store, *RULES, environment=ENVIRONMENT) as service:
        job, run = begun(store)
        assert service.stop()[0] == 0
    assert processes(store) == {}
    assert not finished(store, job)()
    done = subprocess.run(
        [sys.executable, "-m", "agent0es", "schedule", "run", "soon", "--store", str(store)],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    check(store, job, run)
