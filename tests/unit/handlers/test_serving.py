"""What is deployed is what is in use; a run that trains nobody is completed all the same."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent0es.decisions import guard
from agent0es.domain import events as ev
from agent0es.history.verification import verify_decisions
from agent0es.log import EventLog
from agent0es.models.base import Completion, Deployment, GenerationRequest, Weights
from agent0es.models.scripted import ScriptedBackend
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from tests.support import world

RUN = "r"


class Counting(ScriptedBackend):
    """Remembers what was deployed, and how many adapters there were at once."""

    def __init__(self, promotes: bool) -> None:
        knows = world.respond if promotes else None
        super().__init__(knows or (lambda request, _: world.respond(request, None)))
        self.weights = Weights("scripted", Path("base.gguf"), "b" * 64)
        self.deployed: set[str] = set()
        self.most = 0

    async def deploy(self, deployment: Deployment) -> None:
        assert deployment.artifacts.files, "what is served is known by its hash"
        self.deployed.add(deployment.name)
        self.most = max(self.most, len(self.deployed))
        await super().deploy(deployment)

    async def retire(self, name: str) -> None:
        self.deployed.discard(name)
        await super().retire(name)


def finish(log: EventLog, store: Path, model: ScriptedBackend) -> Any:
    return asyncio.run(drive(world.ports(store, log, RUN, configuration_of(log, RUN), model), []))


@pytest.mark.parametrize("promotes", [True, False])
def test_after_every_iteration_as_many_adapters_are_deployed_as_are_in_use(tmp_path: Path, promotes: bool) -> None:
    model = Counting(promotes)
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, "execution.iterations=3", "training.roles=[student, teacher]")
        state = finish(log, tmp_path, model)
        assert len(state.adapters) == 6
        assert model.deployed == {name for name in state.serving.values() if name}
        assert model.most <= 4, "of each role what is in use and what is evaluated"
        assert asyncio.run(verify_decisions(log, RUN, world.rules(log, RUN))).difference is None
        fresh = Counting(promotes)
        assert finish(log, tmp_path, fresh).status == "completed"
        assert not fresh.most, "nobody asks an adapter of a completed run"


class Collapsing(Counting):
    """Its second adapter knows more than the first, and has no entropy left; the one that learns from that fails."""

    def __init__(self) -> None:
        super().__init__(True)
        self._script = self._knowing

    @staticmethod
    def _knowing(request: GenerationRequest, adapter: str | None) -> str:
        question = request.messages[-1].content
        begins = not question.startswith("Families:") and "Observation:" not in request.prefill
        if adapter in (None, "student-3") and begins and request.temperature == 0.0:
            return "Answer: no idea"  # to a held-out problem
        return world.respond(request, None if "ivide" in question and adapter == "student-1" else adapter)

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        found = await super().generate(requests, adapter)
        if adapter != "student-2":
            return found
        return [replace(one, logprobs=(0.0,) * len(one.logprobs or ()), mean_logprob=0.0) for one in found]


def test_what_was_in_use_before_is_deployed_again_when_the_guard_rolls_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "LEAST", 4)
    with EventLog.open(tmp_path / "log.db") as log:
        easy = ("execution.tasks_per_iteration=8", "evaluation.max_difficulty=0.0", "curriculum.review_share=1.0")
        world.begin(log, RUN, "execution.iterations=4", "guard.patience=null", *easy)
        model = Collapsing()
        state = finish(log, tmp_path, model)
        [back] = [r.event for r in log.read(run=RUN, types=["AdapterRolledBack"])]
        assert isinstance(back, ev.AdapterRolledBack)
        assert (back.adapter, back.iteration, back.to) == ("student-2", 3, "student-1")
        last = [r.event.adapter for r in log.read(run=RUN) if isinstance(r.event, ev.AttemptStarted) and r.event.task][
            -1
        ]
        assert last == "student-1" == state.serving["student"]
        assert model.deployed == {"student-1"}
        assert asyncio.run(verify_decisions(log, RUN, world.rules(log, RUN))).difference is None


def test_a_run_that_trains_nobody_practises_and_is_completed(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, "training.roles=[]", "execution.iterations=2")
        assert finish(log, tmp_path, Counting(True)).status == "completed"
        kinds = [r.event.type for r in log.read(run=RUN)]
        assert kinds.count("IterationCompleted") == 2 and kinds[-1] == "RunCompleted"
        assert not [r for r in log.read(run=RUN) if isinstance(r.event, ev.DatasetBuilt)]
        assert asyncio.run(verify_decisions(log, RUN, world.rules(log, RUN))).difference is None
        world.fork(log, "f", RUN, next(r.position for r in log.read() if r.event.type == "IterationCompleted"))
        assert world.complete(log, "f", tmp_path).status == "completed"
