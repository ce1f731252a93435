"""Rewards of a task: given judged attempts, what each and the teacher get."""

import asyncio
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent0es.bootstrap import load_rewards
from agent0es.decisions.reward import decide
from agent0es.domain import events as ev
from agent0es.domain.run import AttemptState, TaskState
from agent0es.domain.task import Solution, Task, Verification
from agent0es.errors import ConfigurationError, RewardError
from agent0es.handlers.dispatcher import HandlerError
from agent0es.log import EventLog
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from tests.support import world

WEIGHTS = {"uncertainty": 0.3, "tool_use": 0.3, "novelty": 0.2, "correctness": 0.2}


def attempt(correct: bool | None, key: str | None, calls: int = 1, errors: int = 0) -> AttemptState:
    return AttemptState(
        solution=Solution(answer=key, confidence=0.5, tool_calls=calls, tool_errors=errors, observed=True),
        verification=Verification(
            correct=correct, score=1.0 if correct else 0.0, confidence=1.0, method="exact", explanation=""
        ),
        majority_key=key,
    )


def judged(*attempts: AttemptState) -> TaskState:
    task = Task(
        domain="math",
        family="gcd",
        parameters={"a": 4, "b": 6},
        wording=0,
        description="gcd of 4 and 6",
        reference="2",
        reference_action="python[math.gcd(4, 6)]",
        difficulty=0.3,
    )
    request = ev.TaskRequested(
        task=3, iteration=1, domain="math", source="families", families={"gcd": 0.3}, novelty_bar=0.0, seed=1
    )
    proposal = ev.TaskProposed(
        task=3, iteration=1, proposal=task, novelty=0.5, nearest=1, attempts=len(attempts), seed=1, demonstrations=0
    )
    return TaskState(request, proposal, {f"3/{k}": a for k, a in enumerate(attempts)})


def test_attempts_and_teacher_are_rewarded_and_the_task_is_completed() -> None:
    events = decide(judged(attempt(True, "2"), attempt(False, "1")), load_rewards(WEIGHTS), WEIGHTS)
    first, second, teacher, completed = events
    assert isinstance(first, ev.RewardAssigned) and isinstance(second, ev.RewardAssigned)
    assert first.components == {"uncertainty": 1.0, "tool_use": 0.25, "novelty": 0.5, "correctness": 1.0}
    assert first.total == pytest.approx(0.3 + 0.075 + 0.1 + 0.2)
    assert second.components["correctness"] == 0.0
    assert isinstance(teacher, ev.RewardAssigned) and teacher.attempt is None
    assert teacher.components["correctness"] == 0.5
    assert completed == ev.TaskCompleted(task=3, iteration=1, family="gcd", difficulty=0.3, attempts=2, solved=1)


def test_an_undecided_answer_is_never_rewarded_as_correct() -> None:
    undecided = attempt(None, "2")
    [student, *_] = decide(judged(undecided), load_rewards(WEIGHTS), WEIGHTS)
    assert isinstance(student, ev.RewardAssigned)
    assert student.components["correctness"] == 0.0


def test_calls_that_failed_earn_nothing() -> None:
    [student, *_] = decide(judged(attempt(True, "2", calls=3, errors=3)), load_rewards(WEIGHTS), WEIGHTS)
    assert isinstance(student, ev.RewardAssigned)
    assert student.components["tool_use"] == 0.0


def test_an_unknown_component_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(ConfigurationError, match=r"no reward component is called 'style': there are: correctness"):
        load_rewards({"style": 1.0})


@pytest.mark.parametrize(
    "given", [float("nan"), float("inf"), -float("inf"), 500, 1.1, -0.1, None, "much", [1.0], 10**400, 1j]
)
def test_what_is_no_reward_is_refused_by_the_name_of_its_component(given: Any) -> None:
    with pytest.raises(RewardError, match=r"^reward component novelty gave [^\n]*; it must give a number from 0 to 1"):
        decide(judged(attempt(True, "2")), {"novelty": lambda inputs: given}, {"novelty": 1.0})


@pytest.mark.parametrize("given", [0, 1, True, 0.25, 1.0000000002, -1e-9, np.float32(0.5), Fraction(1, 3)])
def test_a_number_from_0_to_1_is_a_reward_of_whatever_type(given: Any) -> None:
    [rewarded, *_] = decide(judged(attempt(True, "2")), {"novelty": lambda inputs: given}, {"novelty": 1.0})
    assert isinstance(rewarded, ev.RewardAssigned)
    assert rewarded.components == {"novelty": pytest.approx(float(given), abs=1e-6)}
    assert type(rewarded.components["novelty"]) is float


def test_such_a_component_ends_the_run_with_its_name_in_the_log(tmp_path: Path) -> None:
    with EventLog.open(":memory:") as log:
        world.begin(log, "r")
        ports = world.ports(tmp_path, log, "r", configuration_of(log, "r"))
        broken = replace(ports, rewards={**ports.rewards, "novelty": lambda inputs: float("nan")})
        with pytest.raises(HandlerError, match="reward component novelty gave nan"):
            asyncio.run(drive(broken, []))
        failed = next(log.read(types=["HandlerFailed"]))
        assert isinstance(failed.event, ev.HandlerFailed)
        assert failed.event.error.startswith("RewardError: reward component novelty gave nan")
        assert world.complete(log, "r", tmp_path).status == "completed", "once it is mended"
