"""A teacher that can't be kept to a JSON schema reads it, and its proposals are found among words."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from agent0es.bootstrap import load_rewards
from agent0es.decisions.train import built
from agent0es.domain import events as ev
from agent0es.handlers.datasets import Datasets
from agent0es.history.verification import verify_decisions
from agent0es.history.whatif import whatif
from agent0es.log import EventLog, History, NewEvent
from agent0es.models.base import GenerationRequest, Weights
from agent0es.models.recorded import RecordedBackend
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
def test_its_proposals_become_tasks_and_it_is_examined_and_trained_in_the_words_of_practice(
    tmp_path: Path, keeps_to_a_schema: bool
) -> None:
    settings = (
        "curriculum.freeform_share=0.5",
        "execution.tasks_per_iteration=6",
        "execution.deterministic=true",
        "training.roles=[teacher]",
    )
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, "r", *settings)
        model = ScriptedBackend(talkative, weights=Weights("scripted", tmp_path / "base.gguf", "b" * 64))
        model.capabilities = replace(model.capabilities, structured_output=keeps_to_a_schema)
        ports = world.ports(tmp_path, log, "r", configuration_of(log, "r"), model)
        assert asyncio.run(drive(ports, [])).status == "completed"
        proposed = [one.event.proposal for one in log.read(types=["TaskProposed"])]  # type: ignore[union-attr]
        assert {bool(task.parameters) for task in proposed} == {True, False}, "of families, and of its own"
        events = [recorded.event for recorded in log.read(types=["ModelCalled"])]
        assert asyncio.run(verify_decisions(log, "r", world.rules(log, "r"))).difference is None
        decided = [(one.stream, one.content_hash) for one in log.read(run="r")]

    (tmp_path / "again").mkdir()
    with EventLog.open(tmp_path / "again" / "log.db") as log:
        world.begin(log, "r", *settings)
        recording = RecordedBackend(str(tmp_path), "r", model.weights)
        asyncio.run(drive(world.ports(tmp_path / "again", log, "r", configuration_of(log, "r"), recording), []))
        assert [(one.stream, one.content_hash) for one in log.read(run="r")] == decided, "its recording asks it alike"

    called = [event for event in events if isinstance(event, ev.ModelCalled) and event.role == "teacher"]
    practised = {event.prompt.messages[-1].content: event.prompt.messages for event in called if event.task}
    examined = [event.prompt.messages[-1].content for event in called if event.attempt]
    assert examined and {"JSON schema" in said for said in (*practised, *examined)} == {not keeps_to_a_schema}
    [dataset] = tmp_path.glob("datasets/**/*.jsonl")
    rows = [json.loads(line)["messages"] for line in dataset.read_text().splitlines()]
    learnt = {row[-1]["content"]: [(message["role"], message["content"]) for message in row] for row in rows}
    assert {request.split(":")[0] for request in learnt} == {"Families", "Topic"}
    for request, messages in learnt.items():
        asked = list(practised[request])
        own = request.startswith("Topic:")
        assert messages == (asked if own else [asked[0], asked[-1]]), "worked proposals are for who was not trained"


def test_what_if_keeps_to_the_rules_by_which_a_dataset_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chosen_before(self: Datasets, role: ev.Role, iteration: int, adapter: str) -> NewEvent:
        event = built(role, iteration, adapter, self._of(role, iteration, None, "messages"), "messages")
        return NewEvent(f"adapter/r/{adapter}", event)

    monkeypatch.setattr(Datasets, "choose", chosen_before)
    settings = ("curriculum.freeform_share=0.8", "execution.tasks_per_iteration=8", "training.roles=[teacher]")
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, "r", *settings)
        configuration = configuration_of(log, "r")
        world.complete(log, "r", tmp_path)
        [dataset] = (one.event for one in log.read(run="r", types=["DatasetBuilt"]))
        components = load_rewards(configuration.rewards.weights)
        [found] = whatif(History.of(log, "r"), configuration, configuration, components)["datasets"]
    assert isinstance(dataset, ev.DatasetBuilt) and found["examples"] == [dataset.examples] * 2
