"""Which mistakes show, and what a student learns from them: given two attempts at a task, the row."""

import json
from dataclasses import replace

import pytest

from agent0es.agents.student import Transcript
from agent0es.configuration import load_configuration
from agent0es.decisions.train import examples_of
from agent0es.domain import events as ev
from agent0es.domain.prompt import Part, Prompt
from agent0es.domain.task import Solution, Task, Verification
from agent0es.errors import ConfigurationError
from agent0es.models.base import Completion, Usage
from agent0es.projections.datasets import Selection, build, select
from agent0es.projections.export_rows import right_as_a_whole
from agent0es.projections.mending import Look, look_of, mended_examples, shows
from agent0es.projections.practice import Attempt, Practice, Practised
from agent0es.tools.base import ToolResult, ToolStatus

CHAT = ("models.student.observations=turns", "tools.calls_per_attempt=2")
MARBLES = "Otto and Ida have 32 marbles together. Ida has 4 more. How many does she have?"


@pytest.mark.parametrize(
    ("text", "look"),
    [
        ("18", "whole"),
        ("18.0", "whole"),
        ("1,450", "whole"),
        (" 18\n", "whole"),
        ("40/3", "fraction"),
        ("13.333333333333334", "fraction"),
        ("0", "zero"),
        ("0.0", "zero"),
        ("-14", "negative"),
        ("-1/2", "negative"),
        ("x + 10", "no number"),
        ("", "no number"),
        ("1e999999999", "no number"),
    ],
)
def test_what_can_be_told_of_an_answer_without_the_right_one(text: str, look: Look) -> None:
    assert look_of(text) == look


@pytest.mark.parametrize(
    ("printed", "status", "right", "seen"),
    [
        ("40/3", "ok", "18", True),
        ("-14", "ok", "18", True),
        ("x + 4", "ok", "18", True),
        ("NameError: name 'ida' is not defined", "error", "18", True),
        ("17", "ok", "18", False),
        ("2.75", "ok", "3.25", False),  # euros
        ("3", "ok", "3.25", False),
        ("-4", "ok", "-7", False),  # degrees
    ],
)
def test_a_mistake_shows_where_the_result_looks_like_no_answer(
    printed: str, status: str, right: str, seen: bool
) -> None:
    assert shows(printed, status, right) is seen


def attempt(at: int, program: str, printed: str, *, correct: bool, status: ToolStatus = "ok") -> Attempt:
    """An attempt of one call, as a student of a chat makes it."""
    begun, _ = Transcript(in_turns=True, tools=("python",)).read(said(f"Action: python\n```python\n{program}\n```"))
    transcript = begun.observe(gave(printed, status), last_call=False)
    called = ev.ModelCalled(
        role="student", task=1, attempt=f"1/{at}", model="m", adapter=None,
        prompt=Prompt(turns=(Part(role="user", text=MARBLES), *transcript.steps)),
        text=f"Answer: {printed}", prompt_tokens=1, completion_tokens=1, finish_reason="stop", temperature=0.8, seed=1,
        mean_logprob=-0.1,
    )  # fmt: skip
    verdict = Verification(correct=correct, score=float(correct), confidence=1.0, method="exact", explanation="")
    return Attempt(
        f"1/{at}", "r", last=called, call=program, statuses=[status], printed=printed,
        solution=Solution(answer=printed, confidence=0.9, tool_calls=1, tool_errors=int(status != "ok"), observed=True),
        verified=ev.Verified(
            attempt=f"1/{at}", task=1, verification=verdict, second_instance=None, majority_key=printed
        ),
    )  # fmt: skip


def said(text: str) -> Completion:
    return Completion(text=text, finish_reason="stop", usage=Usage(1, 1), model="m", adapter=None, seconds=0.1)


def gave(printed: str, status: ToolStatus = "ok") -> ToolResult:
    return ToolResult(
        status=status, output=printed, exit_code=0, stdout_bytes=0, stderr_bytes=0, wall_seconds=0.1, cpu_seconds=0.1,
        peak_memory_mb=1.0, tier="test",
    )  # fmt: skip


def of_attempts(*attempts: Attempt) -> Practice:
    task = Task(
        domain="math", family="shares", parameters={}, wording=0, description=MARBLES, reference="18",
        reference_action="python[18]", difficulty=0.1,
    )  # fmt: skip
    proposed = ev.TaskProposed(
        task=1, iteration=1, proposal=task, novelty=1.0, nearest=None, attempts=2, seed=1, demonstrations=0
    )
    return Practice({1: Practised(1, "r", proposed=proposed, judged=list(attempts))})


WRONG = attempt(0, "print((32 - 4) / 3 + 4)", "40/3", correct=False)
RIGHT = attempt(1, "print((32 - 4) / 2 + 4)", "18", correct=True)


def test_a_right_attempt_stands_behind_a_wrong_one_of_which_nothing_is_learnt() -> None:
    [example] = mended_examples(of_attempts(WRONG, RIGHT), 2)
    dataset = build(Selection((example,)), lambda one: Prompt(turns=(Part(role="user", text=one.request),)))
    assert json.loads(dataset.jsonl) == {
        "messages": [
            {"role": "user", "content": MARBLES},
            {"role": "assistant", "content": "Action: python\n```python\nprint((32 - 4) / 3 + 4)\n```"},
            {"role": "user", "content": "Observation: 40/3"},
            {
                "role": "assistant",
                "content": "Action: python\n```python\nprint((32 - 4) / 2 + 4)\n```",
                "trainable": True,
            },
            {"role": "user", "content": "Observation: 18\nNo calls are left. End with a line `Answer: …`."},
        ],
        "segments": [["Answer: 18", True]],
    }
    assert example.sources == ("1/1", "1/0"), "what is retracted of either taints what learnt from them"
    assert example.name == "1/1 after 1/0", "whatif tells it from the right attempt alone"


def test_a_student_that_mends_its_mistake_reads_what_the_row_says() -> None:
    [example] = mended_examples(of_attempts(WRONG, RIGHT), 2)
    transcript = Transcript(in_turns=True, tools=("python",))
    for at, printed in enumerate(("40/3", "18")):
        transcript, action = transcript.read(said(example.turns[2 * at].text))
        assert action is not None and action.tool == "python"
        transcript = transcript.observe(gave(printed), last_call=at == 1)
    assert [(turn.role, turn.text) for turn in transcript.turns] == [(turn.role, turn.text) for turn in example.turns]


def continued(made: Attempt) -> Attempt:
    """The same, with its call and the result in the turn that it continues."""
    assert made.last is not None
    asked, *steps = made.last.prompt.turns
    prompt = Prompt(turns=(asked,), prefill=tuple(step.model_copy(update={"role": "assistant"}) for step in steps))
    return replace(made, last=made.last.model_copy(update={"prompt": prompt}))


@pytest.mark.parametrize(
    "attempts",
    [
        (RIGHT,),
        (WRONG,),
        (RIGHT, attempt(0, "print(17)", "17", correct=False)),
        (WRONG, attempt(1, "prin(18)", "NameError", correct=True, status="error")),
        (continued(WRONG), RIGHT),
        (WRONG, continued(RIGHT)),
    ],
    ids=["none is wrong", "none is right", "it does not show", "right by luck", "wrong, no chat", "right, no chat"],
)
def test_nothing_is_put_together_where(attempts: tuple[Attempt, ...]) -> None:
    assert mended_examples(of_attempts(*attempts), 2) == []


def test_there_must_be_room_for_both_calls() -> None:
    practised = of_attempts(WRONG, RIGHT)
    assert mended_examples(practised, 1) == []
    [example] = mended_examples(practised, 3)
    assert example.turns[-1].text == "Observation: 18", "one call is left"


def test_what_was_retracted_is_not_put_together() -> None:
    practised = of_attempts(WRONG, RIGHT)
    practised.retracted.append("1/0")
    assert mended_examples(practised, 2) == []


def test_a_task_teaches_both_its_right_attempt_and_the_mending() -> None:
    configuration = load_configuration(overrides=[*CHAT, "training.learn_from=mended", "training.examples_per_task=1"])
    practised = of_attempts(WRONG, RIGHT)
    selection = select(
        examples_of("student", practised, configuration, "filtered"), practised.doubtful, "student", configuration
    )
    assert [example.sources for example in selection.chosen] == [("1/1",), ("1/1", "1/0")]
    assert [example.sources for example in right_as_a_whole(selection.chosen)] == [("1/1",)], (
        "no wrong one is preferred"
    )
    plain = load_configuration(overrides=[*CHAT, "training.learn_from=correct"])
    assert [example.sources for example in examples_of("student", practised, plain, "filtered")] == [("1/1",)]


@pytest.mark.parametrize(
    ("overrides", "what_to_do"),
    [
        (("models.student.observations=continued",), "set models.student.observations to turns"),
        (("models.student.observations=turns",), "set tools.calls_per_attempt to 2"),
        ((CHAT[0], "tools.calls_per_attempt=1"), "set tools.calls_per_attempt to 2"),
    ],
)
def test_a_run_without_a_second_call_can_mend_nothing(overrides: tuple[str, ...], what_to_do: str) -> None:
    with pytest.raises(ConfigurationError, match=what_to_do):
        load_configuration(overrides=[*overrides, "training.learn_from=mended"])
