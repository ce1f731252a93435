"""Which attempts are worth learning from: given events of practice, the rows of a dataset."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.configuration import Configuration, TrainingSettings
from agent0es.domain import events as ev
from agent0es.domain.prompt import Part, Prompt
from agent0es.domain.retraction import covers
from agent0es.domain.task import Solution, Task, Verification
from agent0es.log import EventLog, History, NewEvent, Recorded
from agent0es.projections.datasets import Dataset, Selection, build, choose, events_of_dataset, normal, select
from agent0es.projections.examples import Example, LearnFrom, task_examples, wrong_examples
from agent0es.projections.examples import student_examples as of_student
from agent0es.projections.examples import teacher_examples as of_teacher
from agent0es.projections.practice import practice
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


def student_examples(recorded: Iterable[Recorded], learn_from: LearnFrom = "observed") -> list[Example]:
    return of_student(practice(recorded), learn_from)


def built(*examples: Example) -> Dataset:
    return build(Selection(examples), lambda one: Prompt(turns=(Part(role="user", text=one.request),)))


def chosen(examples: list[Example], per_family: int, seed: int = 0, per_task: int = 1) -> list[Example]:
    return choose(examples, per_family, per_task, seed, same=lambda one: one.request)[0]


def recorded(tmp_path: Path, *tasks: list[NewEvent]) -> list[Recorded]:
    with EventLog.open(tmp_path / "log.db") as log:
        log.append([event for task in tasks for event in task], handler="test")
        return list(log.read())


def test_a_verified_solution_becomes_a_row_in_which_observations_are_not_trained_on(tmp_path: Path) -> None:
    [example] = student_examples(recorded(tmp_path, practised(1)))
    dataset = built(example)
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
    dataset = built(example)
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
    found = chosen(student_examples(recorded(tmp_path, *tasks)), per_family=4)
    assert sorted(example.task for example in found) == [1, 2, 3, 4, 7]


def test_an_attempt_made_again_after_a_crash_stands_where_it_would_have_stood() -> None:
    def order(*suffixes: str) -> list[int]:
        examples = [
            Example(f"{task}/0{suffix}", task, "math", "gcd", f"question {task}", "gcd(0, 0)", 0.0, ())
            for task, suffix in enumerate(suffixes)
        ]
        return [example.task for example in chosen(examples, per_family=6, seed=3)]

    assert order("", ".1", "", ".2", "", ".1") == order(*[""] * 6)


def test_the_same_log_gives_the_same_dataset(tmp_path: Path) -> None:
    events = recorded(tmp_path, *(practised(n) for n in range(1, 9)))
    one, two = (chosen(student_examples(events), per_family=3, seed=5) for _ in range(2))
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
    assert [example.source for example in of_teacher(practice(FakeLog(events).read()))] == ["2"]


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
        fell = ev.AdapterRolledBack(adapter="student-1", role="student", iteration=2, to=None, reason="so")
        at = log.append([NewEvent("adapter/r/student-1", fell)], handler="test")[-1].position
        known = [[one.event for one in events_of_dataset(History.of(log, "r"), 1, until)] for until in (at - 1, at)]
        assert [fell in events for events in known] == [False, True], "what it would go on from has fallen"


def example(task: int, attempt: int = 0, /, **changes: object) -> Example:
    """A right attempt at a task."""
    said = (Part(text=f"Action: python[{task} * {attempt}]", author="model", trainable=True),)
    plain = Example(f"{task}/{attempt}", task, "math", "product", f"Multiply, {task}.", "N * N", 0.0, said)
    return replace(plain, **changes)  # type: ignore[arg-type]


def configured(**training: object) -> Configuration:
    return Configuration(training=TrainingSettings.model_validate(training))


def sources(selection: Selection) -> list[str]:
    return sorted(example.source for example in selection.chosen)


@pytest.mark.parametrize(
    ("reason", "bad"),
    [
        ("doubtful", example(2, 0)),
        ("not_novel", example(3, 0, novelty=0.01)),
        ("band", example(3, 0, solved=1.0)),
        ("band", example(3, 0, solved=0.125)),
        ("duplicate", example(3, 0, request="multiply,\n１. ", family="other")),
        ("cap", example(1, 1)),
    ],
)
def test_what_the_student_does_not_learn_is_counted(reason: str, bad: Example) -> None:
    found = select([example(1, 0), bad], {2}, "student", configured(band=0.25))
    assert len(found.chosen) == 1 and found.left_out.get(reason) == 1
    assert found.left_out.keys() <= {reason, "doubtful"}
    before = select([example(1, 0), bad], {2}, "student", configured(), rows="asked")
    assert before.left_out == {} and len(before.chosen) == (1 if reason == "cap" else 2), "as logs of before have it"


def test_the_band_holds_back_what_everybody_solves_and_is_open_as_it_comes() -> None:
    examples = [example(task, 0, solved=task / 8) for task in range(1, 9)]
    assert len(select(examples, (), "student", configured()).chosen) == 8
    assert sources(select(examples, (), "student", configured(band=0.25))) == ["2/0", "3/0", "4/0", "5/0", "6/0"]


def test_several_ways_to_solve_a_task_are_learnt_where_that_is_wanted_and_none_twice() -> None:
    same = example(1, 0).said
    examples = [example(1, 0), example(1, 1, said=same), example(1, 2), example(2, 0)]
    assert sources(select(examples, (), "student", configured())) in (["1/0", "2/0"], ["1/1", "2/0"], ["1/2", "2/0"])
    two = select(examples, (), "student", configured(examples_per_task=3))
    assert [one.task for one in two.chosen] == [1, 2, 1] or [one.task for one in two.chosen] == [2, 1, 1]
    assert two.left_out == {"duplicate": 1}
    share = select(examples, (), "student", configured(examples_per_task=3, examples_per_family=2))
    assert sorted(one.task for one in share.chosen) == [1, 2], "each task has one before any has two"


def test_easy_families_do_not_crowd_out_the_others_and_earlier_iterations_are_replayed() -> None:
    """Tasks are numbered on over the iterations: 1 to 40 are of the first, and none of their families comes again."""
    easy = [example(task, 0, solved=1.0, family="easy") for task in range(1, 31)]
    first = [example(task, 0, solved=0.5, family="early") for task in range(31, 41)]
    second = [example(task, 0, solved=0.5, family="late") for task in range(41, 45)]
    found = select([*easy, *first, *second], (), "student", configured(examples_per_family=6))
    assert Counter(one.family for one in found.chosen) == {"early": 6, "easy": 6, "late": 4}
    assert found.left_out == {"cap": 28}


def test_the_teacher_learns_from_what_was_rewarded_no_less_than_the_mean_of_its_family() -> None:
    rewards = {"product": (0.1, 0.1, 0.1), "gcd": (0.2, 0.9, 0.7), "lcm": (0.05,)}
    examples = [
        example(10 * at + number, 0, source=f"{family}{number}", family=family, reward=reward)
        for at, (family, given) in enumerate(rewards.items(), 1)
        for number, reward in enumerate(given)
    ]
    found = select(examples, (), "teacher", configured())
    assert sources(found) == ["gcd1", "gcd2", "lcm0", "product0", "product1", "product2"]
    assert found.left_out == {"reward": 1}


def test_numbers_and_signs_make_another_task_of_the_same_words() -> None:
    assert normal("  What is\t5 - 3? ") == normal("what is 5 - 3?")
    assert len({normal(text) for text in ("5 - 3", "5 + 3", "5 - 4", "p ∧ q", "p ∨ q")}) == 5


def own_task(number: int, *answers: tuple[str | None, bool | None], freeform: bool = True) -> list[NewEvent]:
    """A task that the teacher wrote itself, with attempts: (answer, verdict)."""
    requested = ev.TaskRequested(
        task=number,
        iteration=1,
        domain="math",
        source="freeform" if freeform else "families",
        families={"math_freeform": 0.1},
        novelty_bar=0.0,
        seed=1,
    )
    proposed, *first = practised(number)
    events = [NewEvent(f"task/r/{number}", requested), proposed]
    for at, (key, correct) in enumerate(answers):
        for new in first:
            event = new.event.model_copy(update={"attempt": f"{number}/{at}"})
            if isinstance(event, ev.Verified):
                judged = event.verification.model_copy(update={"correct": correct})
                event = event.model_copy(update={"verification": judged, "majority_key": key})
            events.append(NewEvent(f"attempt/r/{number}/{at}", event))
    return events


@pytest.mark.parametrize(
    ("answers", "freeform", "doubtful"),
    [
        ((("7", False), ("7", False)), True, True),
        ((("7", False), ("7", False)), False, False),  # a family computes its answers
        ((("7", False), ("8", False)), True, False),
        ((("7", False), ("5", True)), True, False),
        (((None, False), (None, False)), True, False),  # nobody answered
        ((("7", None), ("7", None)), True, False),  # nobody could judge
        ((("7", False),), True, False),  # one agrees with nobody
    ],
)
def test_a_label_that_all_attempts_contradict_is_doubtful(
    answers: tuple[tuple[str | None, bool | None], ...], freeform: bool, doubtful: bool
) -> None:
    found = practice(FakeLog(own_task(1, *answers, freeform=freeform)).read())
    assert found.doubtful == ({1} if doubtful else frozenset())
    assert found.tasks[1].solved == sum(correct is True for _, correct in answers) / len(answers)
    gone = practice(FakeLog([*own_task(1, *answers, freeform=freeform), *retracted("1")]).read())
    assert gone.doubtful == frozenset() and task_examples(gone) == wrong_examples(gone) == []
