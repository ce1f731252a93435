"""Which worked examples a question brings to mind."""

import pytest

from agent0es.agents.likeness import as_read, shelf_of, words_of
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


@pytest.mark.parametrize(
    ("domain", "text", "read"),
    [
        ("math", "What's 17% of 2,340?", "What's 17% of 2340?"),
        ("math", "Add 1,234,567.5 and 12,345.", "Add 1234567.5 and 12345."),
        ("math", "The largest of 1,2,3 and 12,34", "The largest of 1,2,3 and 12,34"),
        ("math", "Reverse the text '1,234'.", "Reverse the text '1,234'."),
        ("code", "Return (1, 234) for 2,340.", "Return (1, 234) for 2,340."),
    ],
)
def test_a_number_is_read_without_its_commas_where_the_domain_takes_both_for_the_same(
    domain: str, text: str, read: str
) -> None:
    assert as_read(load_task_domain(domain), text) == read


def test_numbers_are_all_the_same_and_a_percent_sign_is_a_word() -> None:
    assert words_of("What is 17% of 2,340?") == words_of("what is 5 percent of 9?")
