"""A JSON schema as a grammar: what the grammar allows is what the schema allows."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.models.base import RequestRefused
from agent0es.models.llama_cpp.grammar import grammar_of, whole_numbers

NUMBERS = st.integers(-(10**6), 10**6)


def regex_of(rule: str) -> re.Pattern[str]:
    """Of what `whole_numbers` writes: its grammar is a regular expression with quotes and spaces."""
    return re.compile(rule.replace('"', "").replace(" ", ""))


@given(NUMBERS, NUMBERS, NUMBERS)
def test_a_number_is_allowed_where_it_is_between_the_bounds(one: int, other: int, number: int) -> None:
    low, high = min(one, other), max(one, other)
    rule = regex_of(whole_numbers(low, high))
    for asked in (number, low - 1, low, high, high + 1, (low + high) // 2):
        assert bool(rule.fullmatch(str(asked))) == (low <= asked <= high), asked


@given(NUMBERS, st.integers(0, 1200))
def test_numbers_are_written_in_one_way(low: int, more: int) -> None:
    rule = regex_of(whole_numbers(low, low + more))
    for wrong in ("", "-", "-0", "00", f"0{abs(low)}", f"+{abs(low)}", f"{low}.0"):
        assert not rule.fullmatch(wrong)


def test_nothing_is_between_bounds_that_are_crossed() -> None:
    with pytest.raises(ValueError, match="no whole number from 3 to 2"):
        whole_numbers(3, 2)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number", "minimum": 0.5},
        {"type": "integer", "multipleOf": 3},
        {"type": "integer", "minimum": 7, "maximum": 2},
        {"type": "integer", "minimum": 0.5},
        {"type": "string", "pattern": "(?=a)b"},
        {"type": "nothing"},
        {"$ref": "https://example.org/schema"},
        {"type": "object", "properties": {"a": {"not": {"type": "string"}}}},
    ],
)
def test_a_schema_that_can_not_be_kept_to_is_refused(schema: dict[str, Any]) -> None:
    pytest.importorskip("llama_cpp", reason="the extra llama-cpp has it")
    with pytest.raises(RequestRefused, match="can't keep to this JSON schema"):
        grammar_of(schema)
