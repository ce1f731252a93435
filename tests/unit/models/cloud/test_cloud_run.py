"""A run whose student is a provider's model, to its end: what it cost, left out and tried again is in the log."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from agent0es.domain.events import ModelCalled
from agent0es.domain.tries import read_measured
from agent0es.log import EventLog
from agent0es.models.base import Capabilities, Completion, GenerationRequest, ModelBackend, Weights
from agent0es.models.scripted import ScriptedBackend
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from tests.support import world
from tests.support.http_server import RESET
from tests.support.providers.there import running


class Half(ScriptedBackend):
    """The teacher is scripted; the student's questions go to a provider."""

    def __init__(self, student: ModelBackend) -> None:
        super().__init__(world.respond, weights=Weights("scripted", Path("base.gguf"), "b" * 64))
        self._student = student

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        return self._student.capabilities

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        if "Families:" in requests[0].messages[-1].content:
            return await super().generate(requests, adapter)
        return await self._student.generate(requests, adapter)


def test_practice_on_a_providers_model(tmp_path: Path) -> None:
    """It gives no right answer, breaks once, and takes neither temperature nor a begun turn."""
    with EventLog.open(tmp_path / "log.db") as log, running("anthropic") as there:
        there.server.fail(RESET)
        world.begin(log, "r", "training.roles=[]", "models.student.observations=turns")
        ports = world.ports(tmp_path, log, "r", configuration_of(log, "r"), Half(there.backend()))
        asyncio.run(drive(ports, []))
        assert [one.event.type for one in log.read(run="r")][-1] == "RunCompleted"
        calls = list(log.read(run="r", types=["ModelCalled"]))
        students = [(one.event, one.meta.measured) for one in calls if one.event.role == "student"]  # type: ignore[union-attr]
        assert len(students) >= 6
        for event, measured in students:
            assert isinstance(event, ModelCalled) and event.model == "anthropic:claude-haiku-4-5"
            assert "seed" in event.left_out and "prefill" not in event.left_out
            assert float(measured["cost_usd"]) > 0
        assert sum(len(read_measured(measured)) for _, measured in students) == 1
