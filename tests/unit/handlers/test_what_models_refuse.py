"""What a model can't read ends one attempt, not the run; what it says that is no number, or a secret, is not stored;
and a run does not go on with another model's weights."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from agent0es import bootstrap
from agent0es.agents.confidence import QUESTIONS
from agent0es.domain import events as ev
from agent0es.errors import ModelNotFound
from agent0es.handlers.base import Ports
from agent0es.handlers.dispatcher import HandlerError
from agent0es.history.verification import verify_decisions
from agent0es.log import EventLog, NewEvent
from agent0es.models.base import (
    LEAST_LOGPROB,
    Completion,
    GenerationFailed,
    GenerationRequest,
    RequestRefused,
    Usage,
    Weights,
)
from agent0es.models.scripted import ScriptedBackend
from agent0es.provenance.whole import attempt
from agent0es.runs import driving
from agent0es.runs.driving import drive, drive_run
from agent0es.runs.settings import configuration_of
from agent0es.runs.starting import Parts, start_run
from tests.support import world

RUN = "r"
TOO_LONG = "small: a prompt of 60 tokens and max_tokens 8 exceed the context of 64"


class Small(ScriptedBackend):
    """Reads so many characters of a turn that has begun, and no more."""

    def __init__(self, store: Path, most: int) -> None:
        super().__init__(world.respond, weights=Weights("scripted", store / "base.gguf", "b" * 64))
        self._most = most

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        if any(len(request.prefill) > self._most for request in requests):
            raise RequestRefused(TOO_LONG)
        return await super().generate(requests, adapter)


def test_an_attempt_that_grew_too_long_for_the_model_ends_and_the_run_goes_on(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN)
        ports = world.ports(tmp_path, log, RUN, configuration_of(log, RUN), Small(tmp_path, 40))
        assert asyncio.run(drive(ports, [])).status == "completed"
        ended = [one for one in log.read(run=RUN, types=["SolutionSubmitted"]) if one.meta.measured]
        assert ended and all(one.meta.measured["refused"] == TOO_LONG for one in ended)
        for one in ended:
            assert isinstance(one.event, ev.SolutionSubmitted)
            assert one.event.solution.answer is None and one.event.solution.tool_calls == 1
            assert attempt(ports.history, RUN, one.event.attempt)["refused"] == TOO_LONG
        assert asyncio.run(verify_decisions(log, RUN, world.rules(log, RUN))).difference is None


class AskedTooMuch(ScriptedBackend):
    """Has no room left for the second question about an answer."""

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        if any(request.messages[-1].content == QUESTIONS["critique"] for request in requests):
            raise RequestRefused(TOO_LONG)
        return await super().generate(requests, adapter)


def test_an_answer_counts_though_the_model_has_no_room_to_be_asked_about_it(tmp_path: Path) -> None:
    weights = Weights("scripted", tmp_path / "base.gguf", "b" * 64)
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, "execution.reflection=[confidence, critique]")
        model = AskedTooMuch(world.respond, weights=weights)
        ports = world.ports(tmp_path, log, RUN, configuration_of(log, RUN), model)
        assert asyncio.run(drive(ports, [])).status == "completed"
        asked = [one.event for one in log.read(run=RUN, types=["Reflected"]) if isinstance(one.event, ev.Reflected)]
        ended = [one for one in log.read(run=RUN, types=["SolutionSubmitted"]) if one.meta.measured]
        assert {event.question for event in asked} == {"confidence"} and len(asked) == len(ended)
        assert all(one.meta.measured["refused"] == TOO_LONG for one in ended)
        assert all(isinstance(one.event, ev.SolutionSubmitted) and one.event.solution.answer for one in ended)
        assert asyncio.run(verify_decisions(log, RUN, world.rules(log, RUN))).difference is None


def test_a_first_prompt_that_is_too_long_stops_the_run(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN)
        ports = world.ports(tmp_path, log, RUN, configuration_of(log, RUN), Small(tmp_path, 0))
        with pytest.raises(HandlerError, match="exceed the context of 64"):
            asyncio.run(drive(ports, []))


class Short(ScriptedBackend):
    """Reads six worked examples of a student, and no more."""

    capabilities = replace(ScriptedBackend.capabilities, context=500)

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        asked = [request.messages for request in requests if "Families:" not in request.messages[-1].content]
        if any(len(messages) > 2 + 2 * 6 for messages in asked):
            raise RequestRefused(TOO_LONG)
        return await super().generate(requests, adapter)


def test_an_evaluation_that_asks_too_much_says_how_to_go_on_with_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = Weights("scripted", tmp_path / "base.gguf", "b" * 64)
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, "evaluation.demonstrations=8")
        model = Short(world.respond, weights=weights)
        with pytest.raises(HandlerError) as failed:
            asyncio.run(drive(world.ports(tmp_path, log, RUN, configuration_of(log, RUN), model), []))
        [trained] = log.read(run=RUN, types=["AdapterTrained"])
        told = f"agent0es fork {RUN} --at {trained.position} --set evaluation.demonstrations=4"
        assert "base-few-shot was asked; if that was more than the model can read, start" in str(failed.value)
        assert told in str(failed.value)
        opens(monkeypatch, model)  # who resumes it is told the same, though the run's longest prompt is known by now
        with pytest.raises(HandlerError, match=f"--at {trained.position} --set evaluation.demonstrations=4"):
            asyncio.run(drive_run(tmp_path, log, RUN, configuration_of(log, RUN), Mock()))
        world.fork(log, "child", RUN, trained.position, "evaluation.demonstrations=4")
        settings = configuration_of(log, "child")
        state = asyncio.run(drive(world.ports(tmp_path, log, "child", settings, model), []))
        assert state.status == "completed"


class Leaky(ScriptedBackend):
    """Fails with the address that it asked, in words as HTTP libraries have them."""

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        raise GenerationFailed("Client error for url 'https://me:pw-hidden@host/v1?key=sk-hidden&n=1'")


def test_the_key_in_an_address_that_an_error_quotes_is_not_stored(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, "execution.retries=1")
        ports = world.ports(tmp_path, log, RUN, configuration_of(log, RUN), Leaky(world.respond))
        with pytest.raises(HandlerError) as failed:
            asyncio.run(drive(ports, []))
        held = "\n".join(repr(one.event) for one in log.read(types=["HandlerFailed", "Retried"]))
    for text in (held, str(failed.value)):
        assert "https://me:***@host/v1?key=***&n=1" in text and "hidden" not in text


def test_a_probability_of_nothing_is_kept_as_a_number() -> None:
    def completion(**known: Any) -> Completion:
        return Completion("a", "stop", Usage(1, 2), "m", None, 0.0, **known)

    assert completion(logprobs=(-math.inf, math.nan, -0.5)).logprobs == (LEAST_LOGPROB, LEAST_LOGPROB, -0.5)
    assert completion(mean_logprob=-math.inf).mean_logprob == LEAST_LOGPROB
    assert completion().mean_logprob is None


def opens(monkeypatch: pytest.MonkeyPatch, model: ScriptedBackend | None = None) -> None:
    """Whoever opens a run's parts finds these."""

    @asynccontextmanager
    async def open_ports(store: Path, log: EventLog, run: str, settings: Any, progress: Any) -> AsyncIterator[Ports]:
        yield world.ports(store, log, run, settings, model)

    monkeypatch.setattr(bootstrap, "open_ports", open_ports)


@pytest.mark.parametrize(("promoted", "warned"), [(None, True), ("teacher", True), ("student", False)])
def test_who_begins_with_grpo_is_warned_until_a_students_adapter_was_promoted(
    promoted: ev.Role | None, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens(monkeypatch)
    monkeypatch.setattr(driving, "drive", AsyncMock())
    watcher = Mock()
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, "training.method=grpo")
        if promoted:
            event = ev.AdapterPromoted(adapter=f"{promoted}-1", role=promoted, iteration=1, score=0.5, reason="better")
            log.append([NewEvent(f"run/{RUN}", event)], handler="cli")
        asyncio.run(drive_run(tmp_path, log, RUN, configuration_of(log, RUN), watcher))
    _, _, warnings = watcher.opened.call_args.args
    assert any("grpo teaches it little" in warning for warning in warnings) is warned


def test_a_run_is_not_driven_on_with_other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opens(monkeypatch)
    configuration = world.configured()
    with EventLog.open(tmp_path / "log.db") as log:
        start_run(log, RUN, configuration, Parts({"scripted": "a" * 64}, {}))
        with pytest.raises(ModelNotFound, match=r"base\.gguf: its sha256 is bbb.* was begun with scripted of aaa"):
            asyncio.run(drive_run(tmp_path, log, RUN, configuration, Mock()))
        assert len(list(log.read())) == 1
