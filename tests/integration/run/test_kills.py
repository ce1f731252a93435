"""Engines and trainers that are killed and stopped in the middle of a run: it completes, nothing is lost or doubled.

The engine, the trainer, the handlers and the log are real; the models' words come from a script.
"""

import asyncio
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent0es.domain import events as ev
from agent0es.domain.run import RunState
from agent0es.errors import StoreError
from agent0es.handlers.dispatcher import HandlerError
from agent0es.log import EventLog, Recorded
from agent0es.models import child_process
from agent0es.models.base import GenerationRequest, Weights
from agent0es.rollouts import retry
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from agent0es.training.packed import Packed
from agent0es.training.trainer import ProcessTrainer
from tests.support import world
from tests.support.completed import check_completed, events_of
from tests.support.engines import (
    Blow,
    UnderEngine,
    engines,
    give_no_more_memory,
    kill,
    processes,
    stop,
    tiny_weights,
)

RUN = "r"
SETTINGS = (
    "execution.iterations=1",
    "execution.tasks_per_iteration=5",
    "training.epochs=40",  # steps enough for a trainer to be struck among them
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
    """Strikes the engine at the n-th request of a kind."""

    def __init__(self, wanted: Mapping[tuple[str, int], Blow]) -> None:
        self.left = dict(wanted)
        self.asked: Counter[str] = Counter()

    def __call__(self, request: GenerationRequest, adapter: str | None) -> Blow | None:
        prompt = "\n".join(message.content for message in request.messages)
        held_out = "uotient" in prompt or "ivide" in prompt
        kind = "teacher" if "Families:" in prompt else adapter or ("held-out" if held_out else "student")
        self.asked[kind] += 1
        return self.left.pop((kind, self.asked[kind]), None)


def finish(log: EventLog, store: Path, model: UnderEngine, training: Iterable[Blow] = ()) -> RunState:
    """Drive the run; the trainer is struck at its first step, as long as there are blows."""
    struck: set[int] = set()
    blows = iter(training)

    def strike(progress: object) -> None:
        for trainer in set(processes("agent0es.training", os.getpid())) - struck:
            struck.add(trainer)
            if blow := next(blows, None):
                blow(trainer)

    async def driven() -> RunState:
        made = world.ports(store, log, RUN, configuration_of(log, RUN), model, ProcessTrainer(Packed(), store / "base"))
        try:
            return await drive(replace(made, on_training_progress=strike), [])
        finally:
            await model.close()

    return asyncio.run(driven())


def check(log: EventLog, store: Path, others: set[int]) -> list[Recorded]:
    """What must hold of a run that was completed in spite of everything; its events."""
    recorded = check_completed(log, RUN)
    assert not set(engines()) - others and not processes("agent0es.training", os.getpid())
    adapters = store / "adapters" / RUN
    assert sorted(path.name for path in adapters.rglob("*")) == [
        *("adapter", "adapter_config.json", "adapter_model.safetensors", "lora.gguf", "merged.gguf", "student-1")
    ]
    return recorded


def test_engines_and_trainers_that_are_killed_and_stopped_cost_what_was_in_flight(
    tmp_path: Path, weights: Weights, others: set[int]
) -> None:
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
    steps = [event.step for event in events_of(recorded, ev.TrainingProgressed)]
    assert steps == sorted(set(steps)), "it went on where it was"
    assert ["SIGKILL" in error for error in trained] == [True, False]
    assert "the trainer made no progress for 3 s and was ended" in trained[1]


def short_of_memory(folder: Path, limits: Mapping[str, Sequence[int]]) -> str:
    """A Python whose first processes of a module get so many MB each; later ones as much as they like."""
    python = folder / "python"
    python.write_text(
        f'''#!/bin/sh
        for limit in "$0.$2".*; do
            [ -f "$limit" ] && megabytes=$(cat "$limit") && rm "$limit" &&
                exec prlimit --as="${{megabytes}}000000" {sys.executable} "$@"
        done
        exec {sys.executable} "$@"'''
    )
    python.chmod(0o755)
    for module, each in limits.items():
        for number, megabytes in enumerate(each):
            python.with_name(f"python.{module}.{number}").write_text(str(megabytes))
    return str(python)


def test_engines_and_trainers_without_memory_are_tried_again_when_there_is_some(
    tmp_path: Path, weights: Weights, others: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While they load, in each of its stages, and while they work: in practice, in training and in evaluation."""
    engine, trainer = "agent0es.models.engine_process", "agent0es.training"
    python = short_of_memory(tmp_path, {engine: (300, 500), trainer: (300, 530)})
    monkeypatch.setattr(sys, "executable", python)

    def reload_with_little(process: int) -> None:
        Path(f"{python}.{engine}.again").write_text("300")
        kill(process)

    plan = Plan(
        {
            ("student", 4): give_no_more_memory,
            ("held-out", 2): give_no_more_memory,
            ("student-1", 1): give_no_more_memory,
            ("student-1", 4): reload_with_little,
        }
    )
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, *SETTINGS, "execution.retries=4")
        state = finish(log, tmp_path, UnderEngine(world.respond, weights, plan), [give_no_more_memory])
        assert state.status == "completed" and not plan.left, "everything was tried"
        assert not list(tmp_path.glob("python.*"))
        recorded = check(log, tmp_path, others)
    abandoned = events_of(recorded, ev.AttemptAbandoned)
    assert {event.task is None for event in abandoned} == {True, False}
    # An engine that gets none any more says so, or is ended by a signal before it can.
    assert all("memory" in event.reason or "ended with -" in event.reason for event in abandoned)
    assert "failed to map segment" in abandoned[-1].reason, "the adapter's engine, when it was loaded again"
    by_handler = {
        name: [e.error for e in events_of(recorded, ev.Retried) if e.handler == name] for name in ("propose", "train")
    }
    assert len(by_handler["train"]) >= 2 and by_handler["propose"], by_handler
    # A trainer that gets none any more at its first step may need none any more, or be ended by a signal before it can
    # say why.
    halved = [event.micro_batch for event in events_of(recorded, ev.MicroBatchHalved)]
    assert halved in ([], [4]) and len(by_handler["train"]) + len(halved) <= 3, (halved, by_handler)
    errors = [error for errors in by_handler.values() for error in errors]
    assert all("out of memory" in error or "ended by SIG" in error for error in errors), by_handler


def test_what_stays_broken_stops_the_run_and_is_gone_on_with_when_it_is_resumed(
    tmp_path: Path, weights: Weights, others: set[int]
) -> None:
    """The adapter's engine; then the file that it serves is another one, and its adapter too."""
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, *SETTINGS, "execution.retries=0")
        dying = UnderEngine(world.respond, weights, lambda request, adapter: kill if adapter else None)
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
