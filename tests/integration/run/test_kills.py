"""Engines and trainers that are killed and stopped in the middle of a run: it completes, nothing is lost or doubled.

The engine, the trainer, the handlers and the log are real; the models' words come from a script.
"""

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent0es.domain import events as ev
from agent0es.domain.run import RunState
from agent0es.errors import StoreError
from agent0es.handlers import retry
from agent0es.handlers.base import Ports
from agent0es.handlers.dispatcher import HandlerError
from agent0es.history.verification import verify_decisions
from agent0es.log import EventLog, Recorded
from agent0es.models import child_process
from agent0es.models.base import Weights
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from tests.support import world
from tests.support.engines import UnderEngine, engines, processes, tiny_weights

RUN = "r"
SETTINGS = (
    "execution.iterations=1",
    "execution.tasks_per_iteration=5",
    "training.epochs=1",
    "training.rank=2",
    "training.precision=fp32",
    "evaluation.practised_problems=1",
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return tiny_weights(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def others() -> set[int]:
    """Engines that other tests keep; they have nothing to do with the run."""
    return set(engines())


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "STALLED_SECONDS", 3)
    monkeypatch.setattr(retry, "BACKOFF_SECONDS", 0.05)


class Plan:
    """Sends a signal at the n-th request of a kind."""

    def __init__(self, wanted: Mapping[tuple[str, int], signal.Signals]) -> None:
        self.left = dict(wanted)
        self.asked: Counter[str] = Counter()

    def __call__(self, prompt: str, adapter: str | None) -> signal.Signals | None:
        held_out = "uotient" in prompt or "ivide" in prompt
        kind = "teacher" if "Families:" in prompt else adapter or ("held-out" if held_out else "student")
        self.asked[kind] += 1
        return self.left.pop((kind, self.asked[kind]), None)


def finish(log: EventLog, store: Path, model: UnderEngine, training: Iterable[signal.Signals] = ()) -> RunState:
    """Drive the run; the trainer is sent a signal at its first step, as long as there are any."""
    struck: set[int] = set()
    signals = iter(training)

    def strike(progress: object) -> None:
        for trainer in set(processes("agent0es.training", os.getpid())) - struck:
            struck.add(trainer)
            if sent := next(signals, None):
                os.kill(trainer, sent)

    async def driven() -> RunState:
        made = world.ports(store, log, RUN, configuration_of(log, RUN))
        models = {"models": {"teacher": model, "student": model}, "on_training_progress": strike}
        try:
            return await drive(Ports(**{**{name: getattr(made, name) for name in Ports.__slots__}, **models}), [])
        finally:
            await model.close()

    return asyncio.run(driven())


def check(log: EventLog, store: Path, others: set[int]) -> list[Recorded]:
    """What must hold of a run that was completed in spite of everything; its events."""
    assert log.verify().ok
    recorded = list(log.read(run=RUN))
    report = asyncio.run(verify_decisions(log, RUN, world.rules(log, RUN)))
    assert report.difference is None, report.difference
    ends = Counter(r.event.attempt.split(".")[0] for r in recorded if isinstance(r.event, ev.Verified))
    assert set(ends.values()) == {1}, "no attempt is judged twice"
    completed = Counter(r.event.task for r in recorded if isinstance(r.event, ev.TaskCompleted))
    assert set(completed.values()) == {1}
    for kind in (ev.TrainingStarted, ev.AdapterTrained, ev.AdapterEvaluated, ev.RunCompleted):
        assert sum(isinstance(r.event, kind) for r in recorded) == 1, kind.__name__
    assert not set(engines()) - others and not processes("agent0es.training", os.getpid())
    adapters = store / "adapters" / RUN
    assert sorted(path.name for path in adapters.rglob("*")) == [
        *("adapter", "adapter_config.json", "adapter_model.safetensors", "merged.gguf", "student-1")
    ]
    return recorded


def events_of(recorded: list[Recorded], kind: type[ev.Event]) -> list[Any]:
    return [r.event for r in recorded if isinstance(r.event, kind)]


def test_engines_and_trainers_that_are_killed_and_stopped_cost_what_was_in_flight(
    tmp_path: Path, weights: Weights, others: set[int]
) -> None:
    kill, stop = signal.SIGKILL, signal.SIGSTOP
    plan = Plan(
        {
            ("teacher", 2): kill,
            ("student", 3): kill,
            ("student", 9): stop,
            ("student-1", 1): kill,
            ("student-1", 6): stop,
            ("held-out", 2): kill,
        }
    )
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, *SETTINGS, "execution.retries=4")
        state = finish(log, tmp_path, UnderEngine(world.respond, weights, plan), [kill, stop])
        assert state.status == "completed" and not plan.left, "everything was tried"
        recorded = check(log, tmp_path, others)
    abandoned = events_of(recorded, ev.AttemptAbandoned)
    ends = ("ended with -9", "made no progress")
    said = {(e.task is None, re.sub(rf".*the engine ({'|'.join(ends)}).*", r"\1", e.reason)) for e in abandoned}
    assert said == {(held_out, why) for held_out in (True, False) for why in ends}
    trained = [event.error for event in events_of(recorded, ev.Retried) if event.handler == "train"]
    assert ["SIGKILL" in error for error in trained] == [True, False]
    assert "the trainer made no progress for 3 s and was ended" in trained[1]


def test_what_stays_broken_stops_the_run_and_is_gone_on_with_when_it_is_resumed(
    tmp_path: Path, weights: Weights, others: set[int]
) -> None:
    """The trainer; then the adapter's engine; then the file that it serves is another one, and its adapter too."""
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, *SETTINGS, "execution.retries=0")
        with pytest.raises(HandlerError, match=r"train failed on event [0-9]+: TrainerLost: the trainer was ended by"):
            finish(log, tmp_path, UnderEngine(world.respond, weights), [signal.SIGKILL])
        dying = UnderEngine(world.respond, weights, lambda prompt, adapter: signal.SIGKILL if adapter else None)
        with pytest.raises(HandlerError, match=r"evaluate failed on event [0-9]+: GenerationFailed"):
            finish(log, tmp_path, dying)
        folder = tmp_path / "adapters" / RUN / "student-1"
        merged, adapter = folder / "merged.gguf", folder / "adapter" / "adapter_model.safetensors"
        right, learnt = merged.read_bytes(), adapter.read_bytes()
        merged.write_bytes(weights.path.read_bytes())
        adapter.write_bytes(learnt[:-4] + b"evil")
        with pytest.raises(StoreError, match="it can't be made again"):
            finish(log, tmp_path, UnderEngine(world.respond, weights))
        assert not events_of(list(log.read()), ev.AdapterEvaluated)
        adapter.write_bytes(learnt)
        assert finish(log, tmp_path, UnderEngine(world.respond, weights)).status == "completed"
        assert merged.read_bytes() == right
        retried = events_of(check(log, tmp_path, others), ev.Retried)
        assert [event.name for event in retried if event.handler == "serve"] == ["student-1"]
