"""What a test expects: plain values in Python's words, integers of any length among them, and nothing else."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.tools.expected import UnreadableExpectation, read_expected
from agent0es.tools.inside.codec import same

MOST = 60_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        (" -4.5\n", -4.5),
        ("1+2j", 1 + 2j),
        ("'inf'", "inf"),
        ("inf", math.inf),
        ("-inf", -math.inf),
        ("[math.inf, float('-inf'), float(3)]", [math.inf, -math.inf, 3.0]),
        ("set()", set()),
        ("frozenset({1, (2, 3)})", frozenset({1, (2, 3)})),
        ("{'a': set(), 1: (None, True)}", {"a": set(), 1: (None, True)}),
        ("bytearray(b'ab')", bytearray(b"ab")),
    ],
)
def test_plain_values_are_read(text: str, value: object) -> None:
    found = read_expected(text, MOST)
    assert found == value and type(found) is type(value)


def test_nan_is_read() -> None:
    assert same(read_expected("nan", MOST), math.nan)


@pytest.mark.parametrize(
    "text",
    [
        *("", "nine", "Fraction(1, 2)", "2 ** 10", "9 ** 9 ** 9", "f(2)", "__import__('os')", "set(f(1))", "open('a')"),
        *("[" * 3000, "-" * 5000 + "1", "(" * 300 + ")" * 300, "1" * 5000 + "x", "float('x')", "{[]: 1}", "..."),
        *("set([[]])", "float()", "set(1)", "[" * 40 + "]" * 40, repr("x" * MOST), "math.pi", "{**{}}", "\ud83d", "\0"),
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_what_is_no_plain_value_is_said(text: str) -> None:
    with pytest.raises(UnreadableExpectation):
        read_expected(text, MOST)


@given(st.integers(min_value=1, max_value=9), st.integers(min_value=4200, max_value=9000))
def test_integers_of_any_length_are_read(first: int, zeros: int) -> None:
    text = str(first) + "0" * zeros
    assert read_expected(text, MOST) == first * 10**zeros
    assert read_expected(f"[-{text}, '{text}']", MOST) == [-first * 10**zeros, text]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner, inner)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_whatever_repr_writes_is_read_back(value: object) -> None:
    assert same(read_expected(repr(value), MOST), value)
