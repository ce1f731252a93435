"""What loads is told of models in this process; a server's requests are for the run."""

import asyncio
from pathlib import Path

import pytest

from agent0es.log import EventLog
from agent0es.models.base import Health
from agent0es.models.scripted import ScriptedBackend
from agent0es.runs.driving import what_loads
from agent0es.runs.settings import configuration_of
from tests.support import world


class Loading(ScriptedBackend):
    asked = 0

    async def health(self) -> Health:
        self.asked += 1
        return Health(ok=True, detail="", loading="loading the weights")


@pytest.mark.parametrize(
    ("backend", "asked", "said"),
    [("openvino", 1, "loading the weights"), ("openai-compatible", 0, ""), ("ollama", 0, "")],
)
def test_a_server_is_not_asked_what_it_loads(tmp_path: Path, backend: str, asked: int, said: str) -> None:
    model = Loading(world.respond)
    with EventLog.open(tmp_path / "log.db") as log:
        roles = ("teacher", "student")
        world.begin(log, "r", "training.roles=[]", *(f"models.{role}.backend={backend}" for role in roles))
        ports = world.ports(tmp_path, log, "r", configuration_of(log, "r"), model)
        assert (asyncio.run(what_loads(ports)), model.asked) == (said, asked)
