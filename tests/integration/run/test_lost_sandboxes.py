"""Sandbox workers that are killed and stopped in the middle of a run's tool calls: the run completes.

The sandbox, the tools, the handlers and the log are real; the models' words come from a script.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import pytest

from agent0es.domain import events as ev
from agent0es.domain.run import RunState
from agent0es.log import EventLog, Recorded
from agent0es.models.base import GenerationRequest, Weights
from agent0es.models.scripted import ScriptedBackend
from agent0es.rollouts import retry
from agent0es.rollouts.toolbox import Toolbox
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from agent0es.sandbox import calls, open_sandbox, probe
from agent0es.tools import load_tools, run_program
from tests.support import world
from tests.support.completed import check_completed, events_of
from tests.support.workers import workers

RUN = "r"
SETTINGS = ("execution.tasks_per_iteration=5", "execution.retries=4", "tools.timeout_seconds=1.0")
BLOWS: tuple[tuple[Literal["worker", "supervisor"], signal.Signals], ...] = (
    ("worker", signal.SIGKILL),
    ("supervisor", signal.SIGKILL),
    ("supervisor", signal.SIGSTOP),
    ("worker", signal.SIGSTOP),
)
pytestmark = pytest.mark.skipif(probe().tier is None, reason=probe().detail)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(retry, "BACKOFF_SECONDS", 0.05)


def slow(request: GenerationRequest, adapter: str | None) -> str:
    """The world's script; its calls of Python take so long that one can be struck."""
    return world.respond(request, adapter).replace("python[", "python[__import__('time').sleep(0.2) or ")


class Strikes:
    """Sends the next blow while a call runs: in each phase all of them, one after the other."""

    def __init__(self) -> None:
        self.left = {phase: list(BLOWS) for phase in ("practice", "evaluation")}
        self._asked: Counter[str] = Counter()
        self._striking: asyncio.Task[None] | None = None

    def __call__(self, recorded: Recorded, state: RunState) -> None:
        """As an observer of the run."""
        event, blows = recorded.event, self.left.get(state.phase)
        if isinstance(event, ev.ToolRequested) and event.purpose == "solution" and "sleep" in event.input and blows:
            self._asked[state.phase] += 1
            if self._asked[state.phase] > 1 and (self._striking is None or self._striking.done()):
                self._striking = asyncio.create_task(self._strike(blows))

    async def _strike(self, blows: list[tuple[str, signal.Signals]]) -> None:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            await asyncio.sleep(0.05)  # the call is on its way
            who, blow = blows[0]
            for worker, supervisors in workers().items():
                if supervisors:
                    os.kill(worker if who == "worker" else supervisors[0], blow)
                    blows.pop(0)
                    return


def test_sandbox_workers_that_are_killed_and_stopped_cost_what_was_in_flight(tmp_path: Path) -> None:
    strikes = Strikes()

    async def driven(log: EventLog) -> RunState:
        model = ScriptedBackend(slow, weights=Weights("scripted", tmp_path / "base.gguf", "b" * 64))
        async with open_sandbox(places=4) as sandbox:
            made = replace(
                world.ports(tmp_path, log, RUN, configuration_of(log, RUN), model),
                toolbox=Toolbox(load_tools(["python", "math"], sandbox), partial(run_program, sandbox), sandbox.tier),
            )
            return await drive(made, [strikes])

    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, *SETTINGS)
        assert asyncio.run(driven(log)).status == "completed"
        assert not any(strikes.left.values()), f"not everything was tried: {strikes.left}"
        recorded = check_completed(log, RUN)
    assert not workers(), "nothing is left behind"
    assert not events_of(recorded, ev.HandlerFailed)
    [practised] = [r.position for r in recorded if isinstance(r.event, ev.IterationCompleted)]
    for phase in (recorded[:practised], recorded[practised:]):
        said = [event.reason for event in events_of(phase, ev.AttemptAbandoned)]
        said += [event.error for event in events_of(phase, ev.Retried)]
        assert {"killed" if "was killed" in why else why for why in said} == {
            "killed",
            "SandboxLost: the sandbox's worker does not answer",
        }
