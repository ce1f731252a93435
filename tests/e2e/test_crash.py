"""kill -9 at ten moments of one run: nothing that was acknowledged is lost, nothing is doubled, the run finishes.

The model is scripted; the log, the sandbox, the handlers and the process that dies are real.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from agent0es.domain import events as ev
from agent0es.log import EventLog, Recorded

CONFIG = Path(__file__).with_name("crash.yaml")
ROOT = Path(__file__).parents[2]
KILLS = 10


def start(store: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "agent0es", "run", "--store", str(store), "--json", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(store: Path, *arguments: str) -> None:
    process = start(store, *arguments)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error.decode()


def events_of(store: Path) -> list[Recorded]:
    with EventLog.open(store / "log.db", read_only=True) as log:
        return list(log.read())


def kill_after(process: "subprocess.Popen[bytes]", store: Path, count: int) -> list[Recorded]:
    """Kill the process as soon as the log has `count` events; what the log held just before, by another reader."""
    deadline = time.monotonic() + 60
    while not (store / "log.db").exists():
        assert time.monotonic() < deadline, "the run never began"
        time.sleep(0.05)
    with EventLog.open(store / "log.db", read_only=True) as log:
        while log.head() < count and process.poll() is None:
            assert time.monotonic() < deadline, f"stuck at {log.head()} events"
            time.sleep(0.002)
        seen = list(log.read())
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return seen


def decided(recorded: list[Recorded]) -> list[str]:
    """What was decided, in a form that does not depend on the run's name or on which attempts were made again."""
    cut_off = {r.stream for r in recorded if isinstance(r.event, ev.AttemptAbandoned)}
    texts = [
        f"{r.stream.replace(r.run, 'run', 1)} {r.event.model_dump_json()}" for r in recorded if r.stream not in cut_off
    ]
    return sorted(re.sub(r"\b(\d+/\d+)\.\d+", r"\1", text) for text in texts)


def test_a_run_that_was_killed_ten_times_loses_and_doubles_nothing(tmp_path: Path) -> None:
    store = tmp_path / "killed"
    arguments: tuple[str, ...] = ("--config", str(CONFIG))
    before: list[Recorded] = []
    for kill in range(1, KILLS + 1):
        process = start(store, *arguments)
        seen = kill_after(process, store, max(len(before) + 7, kill * 43))
        after = events_of(store)
        assert [r.chain_hash for r in after[: len(seen)]] == [r.chain_hash for r in seen], "an event was lost"
        before, arguments = after, ("--resume", "latest")
    finish(store, "--resume", "latest")

    recorded = events_of(store)
    assert [r.position for r in recorded] == list(range(1, len(recorded) + 1))
    assert isinstance(recorded[-1].event, ev.RunCompleted)
    with EventLog.open(store / "log.db", read_only=True) as log:
        assert log.verify().ok

    of_type: dict[type, list[Recorded]] = {}
    for r in recorded:
        of_type.setdefault(type(r.event), []).append(r)
    requested = Counter(r.event.task for r in of_type[ev.TaskRequested])
    assert requested == Counter(range(1, 25)), "every task is requested once"
    finished = Counter(r.event.task for r in of_type[ev.TaskCompleted])
    given_up = [r.event.task for r in of_type.get(ev.ProposalRejected, []) if r.event.tries_left == 0]
    assert finished + Counter(given_up) == requested, "every task ends once"
    submitted = Counter(r.event.attempt.split(".")[0] for r in of_type[ev.SolutionSubmitted])
    verified = Counter(r.event.attempt.split(".")[0] for r in of_type[ev.Verified])
    assert set(submitted.values()) == {1} and verified == submitted, "every attempt ends once and is judged once"
    rewards = Counter((r.event.task, r.event.attempt) for r in of_type[ev.RewardAssigned])
    assert set(rewards.values()) == {1}
    assert len(of_type[ev.IterationCompleted]) == 2


def test_in_deterministic_mode_a_killed_run_decides_the_same_as_one_that_was_not(tmp_path: Path) -> None:
    settings = ("--config", str(CONFIG), "--set", "execution.deterministic=true", "--iterations", "1", "--tasks", "6")
    finish(tmp_path / "whole", *settings)
    process = start(tmp_path / "killed", *settings)
    kill_after(process, tmp_path / "killed", 60)
    finish(tmp_path / "killed", "--resume", "latest")

    assert decided(events_of(tmp_path / "killed")) == decided(events_of(tmp_path / "whole"))
