"""Code tasks that a teacher writes: what becomes a task, and what is wrong with what doesn't."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.domain.task import Task
from agent0es.taskdomains.base import Draft, Freeform
from agent0es.taskdomains.code import CodeDomain
from agent0es.taskdomains.code.freeform import examples

ODD = "def f(xs):\n    return [x for x in xs if x % 2]"
CALLS = "f([1, 2]); f([]); f([4])"


def freeform() -> Freeform:
    made = CodeDomain().freeform
    assert made is not None
    return made


def task(text: str, function: str = ODD, calls: str = CALLS) -> Task | str:
    """What comes of a proposal; its reference runs here."""
    draft = freeform().draft({"task": text, "function": function, "calls": calls})
    if not isinstance(draft, Draft):
        return draft
    printed: list[Mapping[int, str]] = []
    exec(draft.reference.input, {"print": printed.append})
    return freeform().task(draft, repr(printed[0]), 0.5)


def test_the_lines_of_a_tasks_text_stay_as_they_are() -> None:
    text = (
        "Fix the mistake:\ndef f(xs):\n    return [x for x in xs if not x % 2]  \nKeep odd numbers: f([1]) gives [1]."
    )
    made = task(text)
    assert isinstance(made, Task)
    assert made.description == text.replace("  \n", "\n")


def test_an_example_in_the_text_is_a_hidden_test_too() -> None:
    made = task("Write f(xs) that keeps the odd numbers. For example, f([3, 4, 5]) gives [3, 5].")
    assert isinstance(made, Task)
    assert {"call": "f([3, 4, 5])", "expect": "[3, 5]", "raises": None} in [
        {"raises": None, **case} for case in json.loads(made.reference)["tests"]
    ]


def test_a_text_without_an_example_is_no_task() -> None:
    assert task("This function has a mistake: def f(xs): return xs[1:]. Write it correctly.") == (
        "the text shows no example of what f gives"
    )


def test_an_example_in_the_text_that_is_wrong_refuses_the_task() -> None:
    text = "Write f(xs) that keeps the numbers that are not even. f([3, 4, 5, 6]) gives [3, 5, 6]."
    assert task(text) == "the text says that f([3, 4, 5, 6]) gives [3, 5, 6], and it gives [3, 5]"


def test_an_example_that_is_said_to_give_infinity_refuses_the_task_and_stops_nothing() -> None:
    text = "Write f(xs) that keeps the numbers that are not even. f([3, 4]) gives 1e999."
    assert task(text) == "the text says that f([3, 4]) gives 1e309, and it gives [3]"


def test_a_function_may_have_the_words_that_stand_before_the_calls() -> None:
    function = ODD.replace("\n", "\n    # the teacher's calls\n")
    assert isinstance(task("Write f(xs) that keeps the odd numbers. f([3, 4]) gives [3].", function), Task)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("f(-10) should return 10, and f(20) returns 20.", {"f(-10)": "10", "f(20)": "20"}),
        ("f('a(b)') == 'x, y'; f((1, 2)) -> (2, 1)", {"f('a(b)')": "'x, y'", "f((1, 2))": "(2, 1)"}),
        ("f([(1, 2), (3,)]) gives {'a': 1}.", {"f([(1, 2), (3,)])": "{'a': 1}"}),
        ("f(1) returns -1.5. And so on", {"f(1)": "-1.5"}),
        ("f(3) gives the sum; def f(x): return 3; f(x) gives 3; xf(1) gives 2", {}),
    ],
)
def test_examples_are_found_in_words(text: str, found: dict[str, str]) -> None:
    assert examples(text) == found


@given(st.text(st.sampled_from("f(1, [2])' gives=return\\x-{}:."), max_size=80))
def test_no_text_breaks_it(text: str) -> None:
    examples(text)
