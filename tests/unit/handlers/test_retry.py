"""An engine that dies, or a sandbox, costs the attempts that were in flight a repetition, and nothing else."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent0es.domain import events as ev
from agent0es.domain.program import Program
from agent0es.domain.run import RunState
from agent0es.errors import NotRecorded, StoreError, TransientError
from agent0es.handlers.dispatcher import HandlerError
from agent0es.history.verification import verify_decisions
from agent0es.log import EventLog, Recorded
from agent0es.models.base import Completion, GenerationFailed, GenerationRequest, Weights
from agent0es.models.scripted import ScriptedBackend
from agent0es.rollouts import retry
from agent0es.rollouts.retry import GivenUp, Retries, root_of
from agent0es.rollouts.toolbox import Toolbox
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from agent0es.tools.base import NO_FILES, ToolLimits, ToolResult
from tests.support import world
from tests.support.crashes import decided

RUN = "r"
Kills = Callable[[str, int], bool]
"""(last message, how many there were) to whether the engine dies of it."""


class Mortal(ScriptedBackend):
    """Dies as an engine does: with it fails whoever waits at that moment, and the next request has a fresh one."""

    def __init__(self, kills: Kills, error: type[Exception] = GenerationFailed) -> None:
        super().__init__(world.respond, weights=Weights("scripted", Path("base.gguf"), "b" * 64))
        self._kills, self._error = kills, error
        self.asked = self.died = 0

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        life = self.died
        self.asked += 1
        await asyncio.sleep(0)
        if life == self.died and self._kills(requests[0].messages[-1].content, self.asked):
            self.died += 1
        await asyncio.sleep(0)
        if life != self.died:
            raise self._error("the engine ended with -9: no message")
        return await super().generate(requests, adapter)


class MortalTool(world.MemoryTool):
    """Loses some calls."""

    def __init__(self, name: str, lose: Callable[[str, int], bool]) -> None:
        super().__init__(name)
        self._lose, self.calls = lose, 0

    async def run(self, text: str, limits: ToolLimits, files: Mapping[str, str] = NO_FILES) -> ToolResult:
        self.calls += 1
        if self._lose(text, self.calls):
            raise TransientError("the sandbox's worker is gone")
        return await super().run(text, limits, files)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BACKOFF_SECONDS", 0.0)


def finish(log: EventLog, store: Path, **changed: Any) -> RunState:
    """Drive the run with some ports of another kind."""
    made = world.ports(store, log, RUN, configuration_of(log, RUN))
    return asyncio.run(drive(replace(made, **changed), []))


def both(model: ScriptedBackend) -> dict[str, Any]:
    return {"models": {"teacher": model, "student": model}}


def events_of(log: EventLog, kind: type[ev.Event]) -> list[Any]:
    return [r.event for r in log.read(run=RUN) if isinstance(r.event, kind)]


def check(log: EventLog) -> list[Recorded]:
    """Every decision follows from what was before it, and every attempt has one end; the events."""
    report = asyncio.run(verify_decisions(log, RUN, world.rules(log, RUN)))
    assert report.difference is None, report.difference
    ends = Counter(event.attempt.rsplit(".", 1)[0] for event in events_of(log, ev.Verified))
    assert set(ends.values()) == {1}, "no attempt is judged twice"
    return list(log.read(run=RUN))


@pytest.mark.parametrize("roles", ["[student]", "[student, teacher]"])
def test_a_run_whose_engine_dies_again_and_again_decides_the_same(tmp_path: Path, roles: str) -> None:
    settings = ("execution.deterministic=true", "execution.retries=8", f"training.roles={roles}")
    with EventLog.open(tmp_path / "whole.db") as whole, EventLog.open(tmp_path / "log.db") as log:
        world.begin(whole, RUN, *settings)
        world.complete(whole, RUN, tmp_path)
        world.begin(log, RUN, *settings)
        model = Mortal(lambda said, count: count % 5 == 1)
        assert finish(log, tmp_path, **both(model)).status == "completed"
        assert model.died > 5
        abandoned = events_of(log, ev.AttemptAbandoned)
        assert {event.reason for event in abandoned} == {"GenerationFailed: the engine ended with -9: no message"}
        assert {event.task is None for event in abandoned} == {True, False}, "in practice, and in evaluation"
        again = {event.handler for event in events_of(log, ev.Retried)}
        assert again == ({"propose", "evaluate_teacher"} if "teacher" in roles else {"propose"})
        assert decided(check(log)) == decided(list(whole.read()))


class OneRefusal(ScriptedBackend):
    """Fails one of the student's requests."""

    failed = False

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        if "Families:" not in requests[0].messages[-1].content and not self.failed:
            self.failed = True
            raise GenerationFailed("503")
        return await super().generate(requests, adapter)


def test_an_attempt_is_made_again_while_those_beside_it_go_on(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, "execution.attempts=4", "training.minimum_examples=1000")
        finish(log, tmp_path, **both(OneRefusal(world.respond)))
        [abandoned] = events_of(log, ev.AttemptAbandoned)
        assert (abandoned.retried_as, abandoned.reason) == (f"{abandoned.attempt}.1", "GenerationFailed: 503")
        begun = Counter(event.attempt.split(".")[0] for event in events_of(log, ev.AttemptStarted))
        assert begun.pop(abandoned.attempt) == 2
        assert set(begun.values()) == {1}
        check(log)


def test_an_engine_that_stays_broken_stops_the_run_with_its_own_words(tmp_path: Path) -> None:
    said = "GenerationFailed: the engine ended with -9: no message"
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN)
        with pytest.raises(HandlerError, match=f"solve failed on event [0-9]+: {said}"):
            finish(log, tmp_path, **both(Mortal(lambda said, count: "Families:" not in said)))
        failures = events_of(log, ev.HandlerFailed)  # of one task, or of two that failed at the same time
        assert {(failed.handler, failed.error) for failed in failures} == {("solve", said)}
        assert all("in generate" in failed.traceback for failed in failures)
        tries = Counter(event.attempt.split(".")[0] for event in events_of(log, ev.AttemptStarted))
        assert max(tries.values()) == 3, "once and two repetitions"
        assert finish(log, tmp_path).status == "completed"
        check(log)


def test_an_engine_that_stays_broken_costs_a_task_where_that_is_asked_for(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, "execution.on_error=continue", "training.minimum_examples=1000")
        model = Mortal(lambda said, count: "Families:" not in said)
        assert finish(log, tmp_path, **both(model)).status == "completed"
        assert {event.handler for event in events_of(log, ev.HandlerFailed)} == {"solve"}
        assert asyncio.run(verify_decisions(log, RUN, world.rules(log, RUN))).difference is None


def test_what_the_user_can_put_right_is_told_as_it_is(tmp_path: Path) -> None:
    for number, error in enumerate((NotRecorded, StoreError)):
        with EventLog.open(tmp_path / f"{number}.db") as log:
            world.begin(log, RUN)
            model = Mortal(lambda said, count: "Families:" not in said, error)
            with pytest.raises(error, match=r"^the engine ended"):
                finish(log, tmp_path, **both(model))
            assert not events_of(log, ev.HandlerFailed)


def test_a_call_of_the_verifier_that_is_lost_is_made_again_alone(tmp_path: Path) -> None:
    """Algebra is judged in the sandbox, in practice and in evaluation, and right code is tried on other numbers."""
    lost: list[str] = []
    count = 0

    async def run_program(program: Program, data: str, limits: ToolLimits) -> ToolResult:
        nonlocal count
        count += 1
        if count % 2 == 0 and len(lost) < 6:
            lost.append(data)
            raise TransientError("the sandbox's worker is gone")
        return await world.agree(program, data, limits)

    settings = ("execution.deterministic=true", "evaluation.practised_problems=3", "execution.tasks_per_iteration=9")
    with EventLog.open(tmp_path / "whole.db") as whole, EventLog.open(tmp_path / "log.db") as log:
        world.begin(whole, RUN, *settings)
        world.complete(whole, RUN, tmp_path)
        world.begin(log, RUN, *settings)
        tools = {name: world.MemoryTool(name) for name in ("python", "math")}
        assert finish(log, tmp_path, toolbox=Toolbox(tools, run_program)).status == "completed"
        retried = events_of(log, ev.Retried)
        assert len(retried) == len(lost) > 1
        assert {event.error for event in retried} == {"TransientError: the sandbox's worker is gone"}
        assert not events_of(log, ev.AttemptAbandoned)
        called = Counter(event.call for event in events_of(log, ev.ToolCalled))
        assert max(called.values()) == 1
        assert {event.name for event in retried}.isdisjoint(called), "what came of the lost calls is unknown"
        assert decided(check(log)) == decided(list(whole.read()))


def test_a_call_of_the_student_that_is_lost_costs_the_attempt_a_repetition(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN)
        tools = {"python": MortalTool("python", lambda text, count: count == 1), "math": world.MemoryTool("math")}
        assert finish(log, tmp_path, toolbox=Toolbox(tools, world.agree)).status == "completed"
        [abandoned] = events_of(log, ev.AttemptAbandoned)
        assert abandoned.reason == "TransientError: the sandbox's worker is gone"
        check(log)


MISSING = NotRecorded("no answer")


@pytest.mark.parametrize(
    ("raised", "root"),
    [
        (MISSING, MISSING),
        (ExceptionGroup("", [MISSING]), MISSING),
        (ExceptionGroup("", [ValueError(), ExceptionGroup("", [MISSING])]), MISSING),
        (GivenUp(lost := TransientError("lost")), lost),
        (ExceptionGroup("", [GivenUp(lost), ValueError()]), lost),
    ],
)
def test_what_went_wrong_is_found_in_what_wraps_it(raised: Exception, root: Exception) -> None:
    assert root_of(raised) is root


def test_the_pause_grows_and_what_stays_broken_is_given_up() -> None:
    pauses: list[float] = []
    told: list[int] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds / retry.BACKOFF_SECONDS if retry.BACKOFF_SECONDS else seconds)

    async def failing() -> None:
        raise TransientError("lost")

    async def failed(number: int, error: TransientError) -> None:
        told.append(number)

    retry.BACKOFF_SECONDS = 1.0  # put back by the fixture
    with pytest.raises(GivenUp, match="lost"):
        asyncio.run(Retries(3, pause)(failing, failed))
    assert (pauses, told) == ([1.0, 2.0, 4.0], [1, 2, 3])
