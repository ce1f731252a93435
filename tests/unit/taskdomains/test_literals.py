"""Idioms, and code that is moved from one instance to another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.domain.task import Scalar, Task
from agent0es.taskdomains.base import signature, transplant


def task(**parameters: Scalar) -> Task:
    return Task(
        domain="math",
        family="any",
        parameters=parameters,
        wording=0,
        description="",
        reference="",
        reference_action="",
        difficulty=0.0,
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("math.gcd(48, 36)", "math.gcd(7,  9)"),
        ("sum(d for d in [3, 1])", "sum(x for x in [9, 8, 7])"),
        ("'abc'[::-1]", '"hello"[::-1]'),
        ("max(['a', 'b'])", "max(['c'])"),
        ("12 +", "99 +"),
        ("print('half", "print('half"),
    ],
)
def test_the_same_idiom_has_one_signature(one: str, other: str) -> None:
    assert signature(one) == signature(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1 + 2", "1 - 2"),
        ("math.gcd(4, 6)", "math.lcm(4, 6)"),
        ("math.gcd(4, 6)", "math.gcd(4, 6, 8)"),
        ("'abc'[0]", "'abc'[-1]"),
        ("min([1])", "max([1])"),
    ],
)
def test_other_idioms_have_other_signatures(one: str, other: str) -> None:
    assert signature(one) != signature(other)


@pytest.mark.parametrize(
    ("code", "first", "second", "moved"),
    [
        ("48 % 17", {"a": 48, "b": 17}, {"a": 50, "b": 9}, "50 % 9"),
        ("a = 48\nprint(a % 17)", {"a": 48, "b": 17}, {"a": 50, "b": 9}, "a = 50\nprint(a % 9)"),
        ("int('48') % 17", {"a": 48, "b": 17}, {"a": 50, "b": 9}, "int('50') % 9"),
        ("sum([4, 8, 15])", {"l": "4, 8, 15"}, {"l": "1, 2, 3"}, "sum([1, 2, 3])"),
        ("4 + 8 + 15", {"l": "4, 8, 15"}, {"l": "1, 2, 3"}, "1 + 2 + 3"),
        ("[x for x in [2, 7] if x % 2 == 0]", {"l": "2, 7"}, {"l": "5, 6"}, "[x for x in [5, 6] if x % 2 == 0]"),
        ("[x for x in [7, 3] if x > 3]", {"l": "7, 3", "n": 3}, {"l": "1, 9", "n": 4}, "[x for x in [1, 9] if x > 4]"),
        ("'banana'[::-1]", {"w": "banana"}, {"w": "cat"}, "'cat'[::-1]"),
        ("f'the word banana'", {"w": "banana"}, {"w": "cat"}, "f'the word cat'"),
        ("max(['red', 'blue'], key=len)", {"t": "red blue"}, {"t": "cat dog"}, "max(['cat', 'dog'], key=len)"),
        ("date(2024, 3, 5)", {"d": "2024-03-05"}, {"d": "2031-11-20"}, "date(2031, 11, 20)"),
        (
            "date.fromisoformat('2024-03-05')",
            {"d": "2024-03-05"},
            {"d": "2031-11-20"},
            "date.fromisoformat('2031-11-20')",
        ),
        ("'\x0b'\x0c\n+ '48'", {"a": 48}, {"a": 50}, "'\x0b'\x0c\n+ '50'"),
        ("Fraction('3/4')", {"a": 3, "b": 4}, {"a": 5, "b": 7}, "Fraction('5/7')"),
        ("12 * 12", {"a": 12, "b": 12}, {"a": 5, "b": 5}, "5 * 5"),
        # What was lucky on the first instance is carried over as it is, and fails on the second.
        ("48 % 2", {"a": 48, "b": 17}, {"a": 51, "b": 9}, "51 % 2"),
    ],
)
def test_code_is_moved(code: str, first: dict[str, Scalar], second: dict[str, Scalar], moved: str) -> None:
    assert transplant(code, task(**first), task(**second)) == moved


@pytest.mark.parametrize(
    ("code", "first", "second"),
    [
        ("5 + 5", {"a": 48}, {"a": 50}),
        ("12 * 12", {"a": 12, "b": 12}, {"a": 5, "b": 6}),
        ("'half", {"a": 48}, {"a": 50}),
        ("", {"a": 48}, {"a": 50}),
        ("len(['b', 'a', 't'])", {"w": "bat"}, {"w": "dog"}),
    ],
)
def test_code_that_cannot_be_moved(code: str, first: dict[str, Scalar], second: dict[str, Scalar]) -> None:
    assert transplant(code, task(**first), task(**second)) is None


@given(st.text(max_size=80))
def test_no_code_makes_them_raise(code: str) -> None:
    signature(code)
    transplant(code, task(a=1, w="x y"), task(a=2, w="z t"))
