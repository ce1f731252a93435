"""Which attempts are worth learning from: given events of practice, the rows of a dataset."""

import json
from pathlib import Path

from agent0es.domain import events as ev
from agent0es.domain.task import Solution, Task, Verification
from agent0es.log import EventLog, NewEvent, Recorded
from agent0es.projections.datasets import build, choose, student_examples


def practised(
    number: int,
    *,
    family: str = "product",
    code: str = "17 * 25",
    correct: bool | None = True,
    second: bool | None = True,
    calls: int = 1,
    errors: int = 0,
    observed: bool = True,
) -> list[NewEvent]:
    """The events of one task with one attempt."""
    task = Task(
        domain="math",
        family=family,
        parameters={"a": 17, "b": 25},
        wording=0,
        description=f"Multiply, {number}.",
        reference="425",
        reference_action=f"python[{code}]",
        difficulty=0.1,
    )
    name = f"{number}/0"
    proposed = ev.TaskProposed(
        task=number, iteration=1, proposal=task, novelty=1.0, nearest=None, attempts=1, seed=1, demonstrations=0
    )
    called = ev.ModelCalled(
        role="student",
        task=number,
        attempt=name,
        model="m",
        adapter=None,
        prompt=("shared", "own", f"Action: python[{code}]\n", "Observation: 425\n", "Answer:"),
        text=" 425\n",
        prompt_tokens=1,
        completion_tokens=1,
        finish_reason="stop",
        temperature=0.0,
        seed=1,
        mean_logprob=-0.1,
    )
    requested = ev.ToolRequested(
        call=f"{name}#1",
        attempt=name,
        tool="python",
        input=code,
        purpose="solution",
        timeout_seconds=5.0,
        memory_limit_mb=512,
    )
    solution = Solution(answer="425", confidence=0.9, tool_calls=calls, tool_errors=errors, observed=observed)
    verification = Verification(
        correct=correct, score=float(correct is True), confidence=1.0, method="exact", explanation=""
    )
    verified = ev.Verified(
        attempt=name, task=number, verification=verification, second_instance=second, majority_key="425"
    )
    submitted = ev.SolutionSubmitted(attempt=name, task=number, solution=solution)
    return [
        NewEvent(f"task/r/{number}", proposed),
        *(NewEvent(f"attempt/r/{name}", event) for event in (requested, called, submitted, verified)),
    ]


def recorded(tmp_path: Path, *tasks: list[NewEvent]) -> list[Recorded]:
    with EventLog.open(tmp_path / "log.db") as log:
        log.append([event for task in tasks for event in task], handler="test")
        return list(log.read())


def test_a_verified_solution_becomes_a_row_in_which_observations_are_not_trained_on(tmp_path: Path) -> None:
    [example] = student_examples(recorded(tmp_path, practised(1)))
    dataset = build([example], lambda request: f"<{request}>", "<end>")
    assert json.loads(dataset.jsonl) == {
        "prompt": "<Multiply, 1.>",
        "segments": [
            ["Action: python[17 * 25]\n", True],
            ["Observation: 425\n", False],
            ["Answer:", True],
            [" 425", True],
            ["<end>", True],
        ],
    }
    assert dataset.per_family == {"product": 1}


def test_nothing_is_learnt_from_what_is_wrong_undecided_lucky_clumsy_or_unobserved(tmp_path: Path) -> None:
    tasks = [
        practised(1, correct=False, second=None),
        practised(2, correct=None, second=None),
        practised(3, second=False),
        practised(4, second=None),
        practised(5, calls=2),
        practised(6, errors=1),
        practised(7, observed=False),
        practised(8),
    ]
    assert [example.task for example in student_examples(recorded(tmp_path, *tasks))] == [8]


def test_a_family_gets_no_more_than_its_share_and_the_common_idiom_comes_first(tmp_path: Path) -> None:
    tasks = [practised(n, code="17 * 25") for n in range(1, 5)]
    tasks += [practised(n, code="int(17) * 25") for n in range(5, 7)]
    tasks += [practised(7, family="gcd")]
    chosen = choose(student_examples(recorded(tmp_path, *tasks)), per_family=4, seed=0)
    assert sorted(example.task for example in chosen) == [1, 2, 3, 4, 7]


def test_the_same_log_gives_the_same_dataset(tmp_path: Path) -> None:
    events = recorded(tmp_path, *(practised(n) for n in range(1, 9)))
    one, two = (choose(student_examples(events), per_family=3, seed=5) for _ in range(2))
    assert one == two
