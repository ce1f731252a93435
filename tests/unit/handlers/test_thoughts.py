"""A model that thinks before it writes: thoughts are in the log, in no later prompt, and nothing is learnt of them."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from agent0es.domain import events as ev
from agent0es.history.verification import verify_decisions
from agent0es.log import EventLog
from agent0es.models.base import Completion, GenerationRequest, Weights
from agent0es.models.scripted import ScriptedBackend
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from tests.support import world
from tests.unit.handlers.test_chats import CHAT, talk

SETTINGS = (
    *(one for one in CHAT if "prompt" not in one),
    "execution.tasks_per_iteration=8",
    "training.roles=[student, teacher]",
)


class Thinks(ScriptedBackend):
    """Thinks before some of its turns; before others it opens a thought and closes it."""

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        completions = await super().generate(requests, adapter)
        thoughts = [(None, "Let me see. ", "\n")[request.seed % 3] for request in requests]
        return [replace(one, thinking=thought) for one, thought in zip(completions, thoughts, strict=True)]


def test_what_was_written_after_a_thought_is_not_learnt(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, "run", *SETTINGS)
        model = Thinks(talk, weights=Weights("scripted", tmp_path / "base.gguf", "b" * 64))
        asyncio.run(drive(world.ports(tmp_path, log, "run", configuration_of(log, "run"), model), []))
        events = [recorded.event for recorded in log.read(run="run")]
        assert asyncio.run(verify_decisions(log, "run", world.rules(log, "run"))).difference is None

    called = [event for event in events if isinstance(event, ev.ModelCalled)]
    assert {event.thinking for event in called} == {"Let me see. ", "\n", None}
    assert not any("Let me see" in event.prompt.plain() for event in called), "no thought is read again"
    proposals = {str(event.task): event for event in called if event.role == "teacher" and event.task}
    thoughtful = {event.attempt for event in called if event.attempt and event.thinking == "Let me see. "}
    thoughtful |= {task for task, event in proposals.items() if event.thinking == "Let me see. "}
    for dataset in (event for event in events if isinstance(event, ev.DatasetBuilt)):
        assert dataset.sources and dataset.thought > 0, dataset.role
        assert thoughtful.isdisjoint(dataset.sources), dataset.role
    for file in tmp_path.glob("datasets/**/*.jsonl"):
        for line in file.read_text().splitlines():
            assert "Let me see" not in json.dumps(json.loads(line))
