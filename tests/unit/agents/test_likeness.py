"""Which worked examples a question brings to mind."""

import pytest

from agent0es.agents.likeness import shelf_of, words_of
from agent0es.taskdomains import load_task_domain


@pytest.mark.parametrize(
    ("question", "action"),
    [
        ("What is 17% of 2,340?", " / 100"),
        ("How many digits has 4711?", "len(str("),
        ("Find the greatest common divisor of 48 and 36.", "gcd("),
    ],
)
def test_the_last_example_is_of_the_family_that_is_asked(question: str, action: str) -> None:
    shown = shelf_of(load_task_domain("math")).like(question, 8)
    assert len(shown) == 8 and action in shown[-1].action
    assert shown == shelf_of(load_task_domain("math")).like(question, 8)


def test_numbers_are_all_the_same_and_a_percent_sign_is_a_word() -> None:
    assert words_of("What is 17% of 2,340?") == words_of("what is 5 percent of 9?")
