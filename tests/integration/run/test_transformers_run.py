"""A whole run on the backend `transformers`: the adapter that the trainer made is served by PEFT, and its process dies.

A two-layer model runs in it; a script has the words.
"""

import asyncio
from pathlib import Path

import pytest

from agent0es.domain import events as ev
from agent0es.log import EventLog
from agent0es.models.base import Completion, GenerationRequest
from agent0es.models.transformers import TransformersBackend
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from agent0es.training.engine import Engine
from agent0es.training.hf import HuggingFace
from agent0es.training.packed import Packed
from agent0es.training.trainer import ProcessTrainer
from tests.support import world
from tests.support.engines import UnderEngine, kill, tiny_weights

SETTINGS = (*world.SETTINGS, "training.epochs=1", "training.rank=2", "execution.retries=4")


@pytest.mark.slow  # two processes that import torch, and one that trains
@pytest.mark.parametrize("engine", [Packed(), HuggingFace()], ids=lambda engine: engine.name)
def test_a_run_trains_and_its_adapter_answers_hot_in_the_process_of_the_base(tmp_path: Path, engine: Engine) -> None:
    weights = tiny_weights(tmp_path)
    seen: set[tuple[str | None, str | None]] = set()
    struck: list[str | None] = []

    def plan(request: GenerationRequest, adapter: str | None) -> object:
        blow = adapter is not None and adapter not in struck
        struck.extend([adapter] if blow else [])
        return kill if blow else None

    class Watched(TransformersBackend):
        async def generate(self, requests: object, adapter: str | None = None) -> list[Completion]:
            completions = await super().generate(requests, adapter)  # type: ignore[arg-type]
            seen.update((adapter, one.adapter) for one in completions)
            return completions

    model = UnderEngine(
        world.respond, weights, plan, Watched.create(str(weights.path), cache=tmp_path / "base", threads=1)
    )

    async def driven(log: EventLog) -> str:
        made = world.ports(
            tmp_path, log, "r", configuration_of(log, "r"), model, ProcessTrainer(engine, tmp_path / "base")
        )
        try:
            return (await drive(made, [])).status
        finally:
            await model.close()

    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, "r", *SETTINGS, f"training.engine={engine.name}")
        assert asyncio.run(driven(log)) == "completed"
        events = [one.event for one in log.read()]
    [trained] = [event for event in events if isinstance(event, ev.AdapterTrained)]
    assert seen == {(None, None), (trained.adapter, trained.adapter)}
    assert struck == [trained.adapter]
    assert [event.adapter for event in events if isinstance(event, ev.AdapterEvaluated)] == [trained.adapter]
    assert any(isinstance(event, ev.AttemptAbandoned) and "ended with -9" in event.reason for event in events)
