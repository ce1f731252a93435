"""Leaks and comparisons of evaluations, from the log alone."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from agent0es.cli.eval import write_result
from agent0es.decisions.measuring import TYPES, answers, completed
from agent0es.domain import events as ev
from agent0es.domain.task import Solution, Task, Verification
from agent0es.log import EventLog, NewEvent
from agent0es.provenance.scores import scores
from agent0es.taskdomains import load_task_domain

STORY = "A baker makes 12 trays with 8 rolls each and sells 70 of them. How many rolls are left in the evening?"


def task(description: str, reference: str = "26") -> Task:
    return Task(
        domain="math",
        family="story",
        parameters={},
        wording=0,
        description=description,
        reference=reference,
        reference_action="",
        difficulty=0.5,
    )


def evaluation(name: str, adapter: str | None, *problems: Task, shots: int = 0) -> list[NewEvent]:
    way = ev.Way(
        format="cot",
        shots=shots,
        adapter=adapter,
        adapter_run="r" if adapter else None,
        samples=1,
        temperature=0.0,
        max_tokens=8,
    )
    begun = ev.EvaluationStarted(
        suite="own", way=way, seed=0, configuration={}, code_version="0", weights={}, prompts={}
    )
    asked = [ev.ProblemAsked(problem=n, source=f"line {n + 1}", posed=one) for n, one in enumerate(problems)]
    return [
        NewEvent(f"evaluation/{name}", begun),
        *(NewEvent(f"problem/{name}/{one.problem}", one) for one in asked),
    ]


def answered(name: str, *right: bool, measured: Mapping[str, str] | None = None) -> list[NewEvent]:
    """The first problems' answers, each right or not, and what they come to."""
    events = []
    for problem, correct in enumerate(right):
        attempt = f"eval/cot/{problem}"
        given = Solution(answer="26" if correct else None, confidence=None, tool_calls=0, tool_errors=0, observed=False)
        judged = Verification(correct=correct, score=float(correct), confidence=1.0, method="exact", explanation="")
        verified = ev.Verified(attempt=attempt, task=None, verification=judged, second_instance=None, majority_key=None)
        submitted = ev.SolutionSubmitted(attempt=attempt, task=None, solution=given)
        of = f"attempt/{name}/{attempt}"
        events += [NewEvent(of, submitted, measured or {}), NewEvent(of, verified)]
    return events


def test_the_best_of_the_base_is_one_that_was_asked_as_much_as_any(tmp_path: Path) -> None:
    """A try of one easy problem, which was solved, is not the base model's best prompt."""
    problems = [task(STORY), task("What is 2 and 2?", "4"), task("What is 3 and 2?", "5")]
    with EventLog.open(tmp_path / "log.db") as log:
        for name, asked, right in (
            ("eval-1", 1, [True]),
            ("eval-2", 3, [True, False, False]),
            ("eval-3", 3, [True, True, False]),
            ("eval-4", 3, [True, True, True]),
        ):
            log.append(evaluation(name, None, *problems[:asked]), handler="cli")
            log.append(answered(name, *right), handler="evaluate")
        marked = {one["evaluation"]: one["best_of_base"] for one in scores(log, "eval-4")["comparisons"]}
    assert marked == {"eval-1": False, "eval-2": False, "eval-3": True}


def test_scores_of_a_lower_limit_say_of_how_many_problems_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both problems were answered once; the command was then given with --limit 1."""
    problems = [task(STORY), task("What is 2 and 2?", "4")]
    with EventLog.open(tmp_path / "log.db") as log:
        log.append(evaluation("eval-1", None, *problems), handler="cli")
        log.append(answered("eval-1", True, False), handler="evaluate")
        scored = completed(problems[:1], answers(log.read(run="eval-1", types=TYPES)), 1)
        log.append([NewEvent("evaluation/eval-1", scored)], handler="evaluate")
        write_result(scores(log, "eval-1"), tmp_path, as_json=False)
    told = capsys.readouterr().out
    assert "Of the first 1 of 2 problems that were answered:" in told and "the same command goes on" not in told


def test_what_the_model_refused_is_told_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        log.append(evaluation("eval-1", None, task(STORY), task("What is 2 and 2?", "4")), handler="cli")
        log.append(answered("eval-1", False, False, measured={"refused": "400: no such model"}), handler="evaluate")
        found = scores(log, "eval-1")
    assert [one["attempt"] for one in found["refused"]] == ["eval/cot/0", "eval/cot/1"]
    write_result(found, tmp_path, as_json=False)
    assert "The model refused 2 requests, which count as wrong: 400: no such model" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("prompt", "trained_prompt", "adapter", "found"),
    [("guide", None, None, 1), ("short", None, None, 0), ("guide", "short", "student-1", 0)],
)
def test_the_worked_example_of_the_guide_is_named_where_it_is_told(
    tmp_path: Path, prompt: str, trained_prompt: str | None, adapter: str | None, found: int
) -> None:
    [told] = [turn.content for turn in load_task_domain("word_problems").guide if turn.role == "user"][:1]
    posed = task(told).model_copy(update={"domain": "word_problems"})
    begun, *asked = evaluation("eval-1", adapter, posed)
    assert isinstance(begun.event, ev.EvaluationStarted)
    way = begun.event.way.model_copy(update={"format": "tools", "adapter_run": None})
    student = {"prompt": prompt, "trained_prompt": trained_prompt}
    said = begun.event.model_copy(update={"way": way, "configuration": {"models": {"student": student}}})
    with EventLog.open(tmp_path / "log.db") as log:
        log.append([NewEvent("evaluation/eval-1", said), *asked], handler="cli")
        leaks = scores(log, "eval-1")["contamination"]["leaks"]
    assert [leak["seen_in"] for leak in leaks] == ["worked example 1"] * found


def test_a_problem_of_the_adapters_dataset_is_named_with_attempt_and_run(tmp_path: Path) -> None:
    proposed = ev.TaskProposed(
        task=3,
        iteration=1,
        proposal=task(STORY.replace("baker", "cook")),
        novelty=1.0,
        nearest=None,
        attempts=1,
        seed=0,
        demonstrations=0,
    )
    built = ev.DatasetBuilt(
        adapter="student-1", role="student", iteration=1, examples=1, sha256="0", per_family={}, sources=("3/0",)
    )
    with EventLog.open(tmp_path / "log.db") as log:
        begun = ev.RunStarted(seed=0, configuration={}, code_version="0", weights={})
        log.append([NewEvent("run/r", begun)], handler="cli")
        log.append([NewEvent("task/r/3", proposed), NewEvent("adapter/r/student-1", built)], handler="cli")
        log.append(evaluation("eval-1", None, task(STORY)), handler="cli")
        log.append(evaluation("eval-2", "student-1", task("How many are 2 and 2?", "4"), task(STORY)), handler="cli")
        assert scores(log, "eval-1")["contamination"]["leaks"] == []  # the base learnt nothing here
        found = scores(log, "eval-2")["contamination"]
    assert found["compared_with"] == {"dataset": 1, "worked examples": 0}
    [leak] = found["leaks"]
    assert (leak["problem"], leak["source"], leak["seen_in"], leak["run"]) == (1, "line 2", "3/0", "r")
    assert leak["same"] is False and leak["overlap"] > 0.8


def test_a_problem_is_found_in_what_the_adapter_goes_on_from(tmp_path: Path) -> None:
    proposed = [
        ev.TaskProposed(
            task=n, iteration=n, proposal=one, novelty=1.0, nearest=None, attempts=1, seed=0, demonstrations=0
        )
        for n, one in enumerate([task(STORY), task("What is 2 and 2?", "4")], 1)
    ]
    about = {"role": "student", "examples": 1, "sha256": "0", "per_family": {}}
    first = {"adapter": "student-1", "iteration": 1, "sources": ("1/0",)}
    second = {"adapter": "student-2", "iteration": 2, "sources": ("2/0",), "start": "student-1"}
    with EventLog.open(tmp_path / "log.db") as log:
        log.append(
            [NewEvent("run/r", ev.RunStarted(seed=0, configuration={}, code_version="0", weights={}))],
            handler="cli",
        )
        for one, built in zip(proposed, (first, second), strict=True):
            dataset = NewEvent(f"adapter/r/{built['adapter']}", ev.DatasetBuilt.model_validate(about | built))
            log.append([NewEvent(f"task/r/{one.task}", one), dataset], handler="train")
        log.append(evaluation("eval-1", "student-2", task(STORY)), handler="cli")
        found = scores(log, "eval-1")["contamination"]
    assert found["compared_with"]["dataset"] == 2
    assert [leak["seen_in"] for leak in found["leaks"]] == ["1/0"]


def test_a_worked_example_that_is_asked_is_a_leak_too(tmp_path: Path) -> None:
    from agent0es.agents.worked_examples import STORIES

    with EventLog.open(tmp_path / "log.db") as log:
        log.append(evaluation("eval-1", None, task(STORIES[1].question), shots=2), handler="cli")
        [leak] = scores(log, "eval-1")["contamination"]["leaks"]
    assert leak["same"] and leak["seen_in"].startswith("worked example") and leak["run"] is None
