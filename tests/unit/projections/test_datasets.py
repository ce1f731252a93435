"""Which attempts are worth learning from: given events of practice, the rows of a dataset."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent0es.domain import events as ev
from agent0es.domain.prompt import Part, Prompt
from agent0es.domain.retraction import covers
from agent0es.domain.task import Solution, Task, Verification
from agent0es.log import EventLog, History, NewEvent, Recorded
from agent0es.projections.datasets import Example, build, choose, events_of_dataset, student_examples, teacher_examples
from agent0es.tools.base import ToolStatus
from tests.unit.projections.fake_log import FakeLog


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
    ended: ToolStatus = "ok",
    turns: tuple[Part, ...] = (),
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
        prompt=Prompt(
            turns=(Part(role="user", text="own"), *turns),
            prefill=()
            if turns
            else (
                Part(text=f"Action: python[{code}]\n", author="model", trainable=True),
                Part(text="Observation: 425\n", author="tool"),
                Part(text="Answer:", trainable=True),
            ),
        ),
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
    gave = ev.ToolCalled(
        call=f"{name}#1", attempt=name, tool="python", status=ended, output="425", exit_code=0, tier="test", denied=(),
        stdout=None, stdout_sha256=None, stderr=None, stderr_sha256=None, written=(), deleted=(),
    )  # fmt: skip
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
        *(NewEvent(f"attempt/r/{name}", event) for event in (requested, gave, called, submitted, verified)),
    ]


def recorded(tmp_path: Path, *tasks: list[NewEvent]) -> list[Recorded]:
    with EventLog.open(tmp_path / "log.db") as log:
        log.append([event for task in tasks for event in task], handler="test")
        return list(log.read())


def test_a_verified_solution_becomes_a_row_in_which_observations_are_not_trained_on(tmp_path: Path) -> None:
    [example] = student_examples(recorded(tmp_path, practised(1)))
    dataset = build([example], lambda one: Prompt(turns=(Part(role="user", text=one.request),)))
    assert json.loads(dataset.jsonl) == {
        "messages": [{"role": "user", "content": "Multiply, 1."}],
        "segments": [
            ["Action: python[17 * 25]\n", True],
            ["Observation: 425\n", False],
            ["Answer:", True],
            [" 425", True],
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


def test_where_all_that_is_correct_is_learnt_from_calls_may_be_many_and_mistakes_mended(tmp_path: Path) -> None:
    tasks = [
        practised(1, correct=False, second=None),
        practised(2, second=False),
        practised(3, second=None, calls=3, errors=1, observed=False),
        practised(4, calls=0, observed=False),
        practised(5, second=None, calls=2, errors=1, ended="error"),
        practised(6),
    ]
    assert [example.task for example in student_examples(recorded(tmp_path, *tasks), "correct")] == [3, 6]


def test_of_a_turn_that_was_continued_a_call_that_failed_is_not_learnt_but_its_mending_is(tmp_path: Path) -> None:
    events = practised(1, calls=2, errors=1)
    requested, gave, called = (event.event for event in events[1:4])
    assert isinstance(requested, ev.ToolRequested) and isinstance(gave, ev.ToolCalled)
    assert isinstance(called, ev.ModelCalled)
    failed = (
        Part(text="Action: python[17 25]\n", author="model", trainable=True),
        Part(text="Observation: SyntaxError\n", author="tool"),
    )
    prompt = called.prompt.model_copy(update={"prefill": (*failed, *called.prompt.prefill)})
    before = [
        requested.model_copy(update={"call": "1/0#0"}),
        gave.model_copy(update={"call": "1/0#0", "status": "error"}),
    ]
    last = called.model_copy(update={"prompt": prompt})
    events[1:4] = [NewEvent("attempt/r/1/0", event) for event in (*before, requested, gave, last)]
    [example] = student_examples(recorded(tmp_path, events), "correct")
    assert example.segments == (
        ("Action: python[17 25]\n", False),
        ("Observation: SyntaxError\n", False),
        ("Action: python[17 * 25]\n", True),
        ("Observation: 425\n", False),
        ("Answer:", True),
        (" 425", True),
    )


def test_an_attempt_in_a_chat_is_a_row_of_turns(tmp_path: Path) -> None:
    turns = (
        Part(text="Action: python[17 * 25]", author="model", trainable=True),
        Part(role="user", text="Observation: 425", author="tool"),
    )
    [example] = student_examples(recorded(tmp_path, practised(1, turns=turns)))
    dataset = build([example], lambda one: Prompt(turns=(Part(role="user", text=one.request),)))
    assert json.loads(dataset.jsonl) == {
        "messages": [
            {"role": "user", "content": "Multiply, 1."},
            {"role": "assistant", "content": "Action: python[17 * 25]", "trainable": True},
            {"role": "user", "content": "Observation: 425"},
        ],
        "segments": [[" 425", True]],
    }


def test_a_family_gets_no_more_than_its_share_and_the_common_idiom_comes_first(tmp_path: Path) -> None:
    tasks = [practised(n, code="17 * 25") for n in range(1, 5)]
    tasks += [practised(n, code="int(17) * 25") for n in range(5, 7)]
    tasks += [practised(7, family="gcd")]
    chosen = choose(student_examples(recorded(tmp_path, *tasks)), per_family=4, seed=0)
    assert sorted(example.task for example in chosen) == [1, 2, 3, 4, 7]


def test_an_attempt_made_again_after_a_crash_stands_where_it_would_have_stood() -> None:
    def order(*suffixes: str) -> list[int]:
        examples = [
            Example(f"{task}/0{suffix}", task, "math", "gcd", f"question {task}", "gcd(0, 0)", 0.0, ())
            for task, suffix in enumerate(suffixes)
        ]
        return [example.task for example in choose(examples, per_family=6, seed=3)]

    assert order("", ".1", "", ".2", "", ".1") == order(*[""] * 6)


def test_the_same_log_gives_the_same_dataset(tmp_path: Path) -> None:
    events = recorded(tmp_path, *(practised(n) for n in range(1, 9)))
    one, two = (choose(student_examples(events), per_family=3, seed=5) for _ in range(2))
    assert one == two


def retracted(what: str) -> list[NewEvent]:
    return [NewEvent("run/r", ev.Retracted(what=what, reason="bad", actor="ada"))]


def iteration_completed(iteration: int) -> list[NewEvent]:
    event = ev.IterationCompleted(iteration=iteration, tasks=1, given_up=0, attempts=1, solved=1)
    return [NewEvent("run/r", event)]


@given(
    whats=st.lists(st.sampled_from(["1", "2", "1/0", "2/0", "3/0", "1/1", "12"]), max_size=3),
    place=st.integers(0, 3),
)
def test_nothing_is_learnt_from_what_was_retracted_whenever_that_was(whats: list[str], place: int) -> None:
    tasks = [practised(1), practised(2), practised(3)]
    everything = student_examples(FakeLog([event for task in tasks for event in task]).read())
    tasks.insert(place, [event for what in whats for event in retracted(what)])
    left = student_examples(FakeLog([event for task in tasks for event in task]).read())
    assert left == [e for e in everything if not any(covers(what, e.source) for what in whats)]


def test_a_teacher_learns_nothing_from_a_retracted_task_but_from_one_with_a_retracted_attempt() -> None:
    def taught(number: int) -> list[NewEvent]:
        called = ev.ModelCalled(
            role="teacher",
            task=number,
            attempt=None,
            model="m",
            adapter=None,
            prompt=Prompt(turns=(Part(role="user", text="p"),)),
            text="{}",
            prompt_tokens=1,
            completion_tokens=1,
            finish_reason="stop",
            temperature=1.0,
            seed=1,
            mean_logprob=0.0,
        )
        request = ev.TaskRequested(
            task=number,
            iteration=1,
            domain="math",
            source="families",
            families={"product": 0.1},
            novelty_bar=0.0,
            seed=1,
        )
        rewarded = ev.RewardAssigned(role="teacher", task=number, attempt=None, components={}, total=1.0)
        events = [NewEvent(f"task/r/{number}", event) for event in (request, called)]
        return [*events, *practised(number), NewEvent(f"task/r/{number}", rewarded)]

    events = [*taught(1), *taught(2), *retracted("1"), *retracted("2/0")]
    assert [example.source for example in teacher_examples(FakeLog(events).read())] == ["2"]


def test_a_dataset_is_made_of_practice_up_to_its_iteration_and_of_retractions_up_to_its_position(
    tmp_path: Path,
) -> None:
    events = [
        NewEvent("run/r", ev.RunStarted(seed=0, configuration={}, code_version="0", weights={})),
        *practised(1),
        *practised(2),
        *practised(3),
        *iteration_completed(1),
        *retracted("1"),  # a crash came in between
        *practised(4),
        *iteration_completed(2),
        *retracted("2"),
    ]
    with EventLog.open(tmp_path / "log.db") as log:
        last = log.append(events, handler="test")[-1].position

        def numbers(iteration: int, position: int | None) -> list[int]:
            return [
                example.task
                for example in student_examples(events_of_dataset(History.of(log, "r"), iteration, position))
            ]

        assert numbers(1, None) == [3]
        assert numbers(1, last - 1) == [2, 3]
        assert numbers(1, last - 10) == [1, 2, 3], "as it was before the first retraction"
        assert numbers(2, last - 1) == [2, 3, 4]
        assert numbers(2, None) == [3, 4]
