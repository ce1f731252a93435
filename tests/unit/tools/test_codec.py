"""Plain data crosses with its types; a trick of a class does not cross at all."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.tools.inside.codec import MAX_DEPTH, NotPlain, decode, encode, same

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
HASHABLE = st.recursive(SCALARS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=5)
PLAIN = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(HASHABLE, inner, max_size=3) | st.sets(HASHABLE, max_size=3)
    ),
    max_leaves=10,
)


@given(PLAIN)
def test_what_is_plain_comes_back_the_same(value: Any) -> None:
    back = decode(json.loads(json.dumps(encode(value))))
    assert type(back) is type(value)
    if "nan" not in repr(value):  # which is no member of a set that holds it
        assert same(back, value)


@given(PLAIN, PLAIN)
def test_sameness_is_equality_and_types(one: Any, two: Any) -> None:
    assert same(one, two) == same(two, one)
    if same(one, two):
        assert type(one) is type(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (1, True),
        (1, 1.0),
        ([1], (1,)),
        ({1}, frozenset({1})),
        ({1: 2}, {True: 2}),
        ({1}, {1.0}),
        ([1, 2], [1]),
        ("1", 1),
    ],
)
def test_equal_is_not_yet_the_same(one: Any, two: Any) -> None:
    assert not same(one, two)


def test_floats_may_differ_in_the_last_places() -> None:
    assert same(0.1 + 0.2, 0.3)
    assert same(math.nan, math.nan)
    assert not same(0.1, 0.1001)


class Anything(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __int__(self) -> int:
        return 4

    def __index__(self) -> int:
        return 4

    def __add__(self, other: int) -> int:
        return 4


def test_a_subclass_crosses_as_what_it_is_made_of() -> None:
    assert encode(Anything(5)) == 5

    class Words(list[int]):
        def __iter__(self) -> Any:
            return iter([1, 2, 3])

    assert encode(Words([7])) == [7]


def test_an_object_does_not_cross() -> None:
    with pytest.raises(NotPlain, match="a object is no plain data"):
        encode([object()])


@pytest.mark.parametrize(
    "data",
    [
        {"x": 1},
        {"i": "zz"},
        {"f": []},
        {"t": 3},
        {"d": [[1]]},
        {"s": [[1]]},
        {"b": "x"},
        {"a": 1, "b": 2},
        1.5,
        {"c": [1]},
    ],
)
def test_what_can_not_be_read_is_refused(data: Any) -> None:
    with pytest.raises(NotPlain):
        decode(data)


def test_depth_and_size_are_bounded() -> None:
    deep: Any = []
    for _ in range(MAX_DEPTH + 5):
        deep = [deep]
    for value in (deep, list(range(30_000))):
        with pytest.raises(NotPlain, match="too"):
            encode(value)
    with pytest.raises(NotPlain):
        decode(deep)
