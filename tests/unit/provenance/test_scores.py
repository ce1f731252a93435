"""Leaks and comparisons of evaluations, from the log alone."""

from pathlib import Path

from agent0es.domain import events as ev
from agent0es.domain.task import Task
from agent0es.log import EventLog, NewEvent
from agent0es.provenance.scores import scores

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
    begun = ev.EvaluationStarted(suite="own", way=way, seed=0, configuration={}, code_version="0", weights={})
    asked = [ev.ProblemAsked(problem=n, source=f"line {n + 1}", posed=one) for n, one in enumerate(problems)]
    return [
        NewEvent(f"evaluation/{name}", begun),
        *(NewEvent(f"problem/{name}/{one.problem}", one) for one in asked),
    ]


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


def test_a_worked_example_that_is_asked_is_a_leak_too(tmp_path: Path) -> None:
    from agent0es.agents.worked_examples import STORIES

    with EventLog.open(tmp_path / "log.db") as log:
        log.append(evaluation("eval-1", None, task(STORIES[1].question), shots=2), handler="cli")
        [leak] = scores(log, "eval-1")["contamination"]["leaks"]
    assert leak["same"] and leak["seen_in"].startswith("worked example") and leak["run"] is None
