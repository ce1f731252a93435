"""A run whose student is a chat model: the same loop, with what tools gave in turns of the user."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from agent0es.agents.student import OBSERVATION, UNREADABLE
from agent0es.bootstrap import practised_domains
from agent0es.domain import events as ev
from agent0es.domain.prompt import Message
from agent0es.history.verification import verify_decisions
from agent0es.log import EventLog
from agent0es.models.base import Capabilities, GenerationRequest, Weights
from agent0es.models.scripted import ScriptedBackend
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from tests.support import world

CHAT = (
    "models.student.observations=turns",
    "models.student.prompt=guide",
    "models.student.reminders=1",
    "training.learn_from=correct",
    "tools.calls_per_attempt=2",
    "execution.reflection=[confidence, critique]",
)


def talk(request: GenerationRequest, adapter: str | None) -> str:
    """A student that first says what it will do, then calls, then answers."""
    assert request.prefill == ""
    asked = [at for at, message in enumerate(request.messages) if message.role == "user" and not harness(message)]
    question, *after = request.messages[asked[-1] :]
    if question.content.startswith("Look at"):
        return f"{world.respond(request, adapter)}, as far as I see."
    if question.content.startswith(("Families:", "How likely")):
        return world.respond(request, adapter)
    if not after:
        return "I will call a tool."
    said = "".join(f"{message.content}\n" for message in after if message.content.startswith(OBSERVATION))
    return world.respond(replace(request, messages=(question,), prefill=said), adapter)


def harness(message: Message) -> bool:
    """Whether a user's turn is no task."""
    return message.content.startswith((OBSERVATION, UNREADABLE))


class NoPrefill(ScriptedBackend):
    """A server's model: it begins each of its turns itself."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, prefill=False)


def test_a_run_of_a_model_that_continues_no_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent0es.taskdomains.load_task_domains", lambda names, families: {"math": world.SmallDomain()})
    model = NoPrefill(talk, weights=Weights("scripted", tmp_path / "base.gguf", "b" * 64))
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, "run", *CHAT)
        configuration = configuration_of(log, "run")
        domains = practised_domains(configuration)
        ports = replace(world.ports(tmp_path, log, "run", configuration, model), domains=domains)
        asyncio.run(drive(ports, []))
        events = [recorded.event for recorded in log.read(run="run")]
        report = asyncio.run(verify_decisions(log, "run", replace(world.rules(log, "run"), domains=domains)))

    assert report.difference is None
    assert report.checked["student's turns"] > 20 and report.checked["reflections"] > 3
    called = [event for event in events if isinstance(event, ev.ModelCalled) and event.role == "student"]
    assert not any(event.prompt.prefill for event in called)
    longest = max((event for event in called if event.question is None), key=lambda event: len(event.prompt.turns))
    assert [turn.role for turn in longest.prompt.turns] == ["user", "assistant", "user", "assistant", "user"]
    assert [turn.trainable for turn in longest.prompt.turns] == [False, False, False, True, False]
    arms = {event.attempt.split("/")[1] for event in called if event.attempt and event.attempt.startswith("eval/")}
    assert arms == {"base-zero-shot", "base-few-shot", "base-own-shots", "student-1"}
    [dataset] = tmp_path.glob("datasets/**/*.jsonl")
    rows = [json.loads(line) for line in dataset.read_text().splitlines()]
    assert rows and all(
        [message["role"] for message in row["messages"] if message.get("trainable")] == ["assistant"] for row in rows
    )
    assert any(isinstance(event, ev.AdapterPromoted | ev.AdapterRejected) for event in events)
    verdicts = [event for event in called if event.question == "critique"]
    assert verdicts and all(event.text.endswith("as far as I see.") for event in verdicts), "none is cut"
    said = {event.confidence for event in events if isinstance(event, ev.Reflected) and event.question == "critique"}
    assert None in said and len(said) > 2 and not said & {0.0, 1.0}, "it counts by the probability of its own word"
