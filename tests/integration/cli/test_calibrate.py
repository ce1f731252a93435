"""`agent0es calibrate`: what the student said of its answers, what they were, before and after."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent0es.cli.main import cli
from agent0es.domain import events as ev
from agent0es.domain.task import Solution, Verification
from agent0es.errors import QueryError, UnknownName
from agent0es.log import EventLog, NewEvent


def attempt(
    run: str,
    name: str,
    task: int | None,
    confidence: float,
    correct: bool | None,
    key: str | None,
    said: Mapping[str, float | None] = MappingProxyType({}),
    adapter: str | None = None,
) -> Any:
    """The events of one attempt, from its start to the verifier's word; `said` is question to confidence."""
    solution = Solution(answer=key, confidence=confidence, tool_calls=1, tool_errors=0, observed=bool(correct))
    verification = Verification(
        correct=correct, score=float(correct or 0), confidence=1.0, method="exact", explanation=""
    )
    events = [
        ev.AttemptStarted(attempt=name, task=task, seed=1, adapter=adapter, demonstrations=0),
        *(
            ev.Reflected.model_validate({"attempt": name, "task": task, "question": question, "confidence": value})
            for question, value in said.items()
        ),
        ev.SolutionSubmitted(attempt=name, task=task, solution=solution),
        ev.Verified(attempt=name, task=task, verification=verification, second_instance=None, majority_key=key),
    ]
    return [NewEvent(f"attempt/{run}/{name}", event) for event in events]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose student is right in a third of the cases when it says 0.9, and nearly always when it says 0.99."""
    folder = tmp_path_factory.mktemp("store")
    rng = random.Random(0)
    started = ev.RunStarted(seed=0, configuration={}, code_version="0", weights={})
    with EventLog.open(folder / "log.db") as log:
        for run in ("run", "short", "asked", "trained"):
            log.append([NewEvent(f"run/{run}", started)], handler="test")
        for task in range(1, 151):
            for k in range(4):
                confidence = rng.choice([0.9, 0.99])
                correct = rng.random() < (0.33 if confidence == 0.9 else 0.97)
                key = "right" if correct else rng.choice(["a", "b", "c"])
                log.append(attempt("run", f"{task}/{k}", task, confidence, correct, key), handler="test")
            if task % 10 == 0:
                log.append(attempt("run", f"{task}/9", task, 0.99, None, None), handler="test")
            for arm, share, confidence in (("base", 0.2, 0.9), ("student-1", 0.8, 0.8)):
                name = f"eval/{arm}/{task}"
                log.append(attempt("run", name, None, confidence, rng.random() < share, "x"), handler="test")
        log.append(attempt("run", "eval/few/1", None, 0.9, True, "x"), handler="test")
        log.append(attempt("short", "1/0", 1, 0.5, True, "x"), handler="test")
        for task in range(1, 81):
            who = None if task <= 40 else "student-1"
            log.append(attempt("trained", f"{task}/0", task, 0.5, who is not None, "x", adapter=who), handler="test")
        for task in range(1, 121):  # says 90 to everything, and its critique knows; every fourth is unreadable
            correct = rng.random() < 0.5
            critique = None if task % 4 == 0 else rng.uniform(0.6, 0.9) if correct else rng.uniform(0.1, 0.4)
            said = {"confidence": 0.9, "critique": critique}
            log.append(attempt("asked", f"{task}/0", task, 0.8, correct, "x", said), handler="test")
    return folder


def calibrate(store: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["calibrate", *arguments, "--store", str(store)])


def measured(store: Path, *arguments: str, run: str = "run") -> dict[tuple[str, str], dict[str, Any]]:
    found = json.loads(calibrate(store, run, "--json", *arguments).output)
    return {(one["signal"], one["method"]): one for one in found["measured"]}


def test_error_falls_on_tasks_that_were_not_fitted_on(store: Path) -> None:
    ways = measured(store)
    before, after = ways["token confidence", "as it is"], ways["token confidence", "isotonic"]
    assert before["ece"] == pytest.approx(0.3, abs=0.06)
    assert after["ece"] < 0.1
    assert after["brier"] < before["brier"]
    assert ways["all together", "logistic"]["brier"] < after["brier"], "the answer that the tool printed was right"
    assert ways["agreement", "as it is"]["brier"] < ways["none", "solve rate"]["brier"]


def test_both_halves_are_made_of_whole_tasks_and_undecided_answers_count_for_nothing(store: Path) -> None:
    found = json.loads(calibrate(store, "run", "--json").output)
    assert found["attempts"] == 600 == found["fitted_on"] + found["tested_on"]
    assert found["fitted_on"] % 4 == 0
    assert all(sum(one[2] for one in way["bins"]) == found["tested_on"] for way in found["measured"])


def test_each_who_answers_is_measured_alone(store: Path) -> None:
    found = [json.loads(line) for line in calibrate(store, "run", "--held-out", "--json").output.splitlines()]
    assert [(one["who"], one["attempts"]) for one in found] == [("base", 150), ("student-1", 150)]
    base, student = (next(m for m in one["measured"] if m["method"] == "as it is") for one in found)
    assert base["ece"] > 0.5 and student["ece"] < 0.15, "the base model's answers would drown what the student says"
    text = calibrate(store, "run", "--held-out").output
    assert "few: 1 judged attempt is too few" in text and f"--held-out --of student-1 --store {store}" in text
    error = calibrate(store, "run", "--held-out", "--of", "studnet-1").exception
    assert isinstance(error, UnknownName) and "nearest is student-1" in str(error)


def test_in_practice_too_an_adapter_is_not_thrown_together_with_the_base_model(store: Path) -> None:
    found = [json.loads(line) for line in calibrate(store, "trained", "--json").output.splitlines()]
    assert [(one["who"], one["attempts"], one["right"]) for one in found] == [
        ("base model", 40, 0),
        ("student-1", 40, 40),
    ]


def test_attempts_at_held_out_problems_have_no_agreement(store: Path) -> None:
    ways = measured(store, "--held-out", "--of", "base")
    assert ("agreement", "as it is") not in ways
    assert ways["token confidence", "as it is"]["ece"] == pytest.approx(0.7, abs=0.1)
    assert ways["token confidence", "isotonic"]["ece"] < 0.15


def test_what_the_student_says_when_it_is_asked_is_a_signal_too(store: Path) -> None:
    ways = measured(store, run="asked")
    said, mended = ways["stated confidence", "as it is"], ways["stated confidence", "isotonic"]
    assert said["ece"] == pytest.approx(0.4, abs=0.12) and mended["ece"] < said["ece"]
    critique, all_answers = ways["self-critique", "as it is"], said["answers"]
    assert critique["brier"] < 0.1 and ways["self-critique", "isotonic"]["brier"] < critique["brier"]
    assert 0 < critique["answers"] < all_answers, "an unreadable reply is no confidence"
    assert ways["all together", "as it is"]["answers"] == ways["all together", "logistic"]["answers"] == all_answers
    assert "self-critique +" in ways["all together", "logistic"]["parameters"]


def test_a_signal_that_the_run_lacks_is_not_shown(store: Path) -> None:
    assert {signal for signal, _ in measured(store)} == {"none", "token confidence", "agreement", "all together"}


def test_it_is_drawn_for_people(store: Path) -> None:
    text = calibrate(store, "run").output
    assert "600 judged attempts in practice" in text
    assert "token confidence, as it is: said (│) and right (█)" in text
    [line] = [line for line in text.split("all together, ")[0].splitlines() if line.strip().startswith("0.9 to 1.0")]
    assert 14 <= line.count("█") <= 23 and line.count("│") == 1 and "said 0.95" in line


def test_too_few_attempts_are_no_ground_for_anything(store: Path) -> None:
    result = calibrate(store, "short")
    assert isinstance(result.exception, QueryError) and "too few" in str(result.exception)
