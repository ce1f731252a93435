"""A teacher that can't be kept to a JSON schema reads it, and its proposals are found among words."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from agent0es.domain import events as ev
from agent0es.history.verification import verify_decisions
from agent0es.log import EventLog
from agent0es.models.base import GenerationRequest, Weights
from agent0es.models.scripted import ScriptedBackend
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from tests.support import world


def talkative(request: GenerationRequest, adapter: str | None) -> str:
    """Says something before and after each proposal."""
    said = world.respond(request, adapter)
    first = request.messages[-1].content
    return (
        f"Sure! Here is one:\n```json\n{said}\n```\nGood luck." if first.startswith(("Families:", "Topic:")) else said
    )


@pytest.mark.parametrize("keeps_to_a_schema", [False, True])
def test_what_it_proposes_becomes_tasks(tmp_path: Path, keeps_to_a_schema: bool) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, "r", "curriculum.freeform_share=0.5", "execution.tasks_per_iteration=6")
        model = ScriptedBackend(talkative, weights=Weights("scripted", tmp_path / "base.gguf", "b" * 64))
        model.capabilities = replace(model.capabilities, structured_output=keeps_to_a_schema)
        ports = world.ports(tmp_path, log, "r", configuration_of(log, "r"), model)
        assert asyncio.run(drive(ports, [])).status == "completed"
        proposed = [one.event.proposal for one in log.read(types=["TaskProposed"])]  # type: ignore[union-attr]
        assert {bool(task.parameters) for task in proposed} == {True, False}, "of families, and of its own"
        for recorded in log.read(types=["ModelCalled"]):
            asked = recorded.event
            assert isinstance(asked, ev.ModelCalled)
            if asked.role == "teacher":
                assert ("JSON schema" in asked.prompt.messages[-1].content) is not keeps_to_a_schema
        assert asyncio.run(verify_decisions(log, "r", world.rules(log, "r"))).difference is None
