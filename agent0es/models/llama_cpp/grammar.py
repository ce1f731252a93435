"""A JSON schema as a grammar of llama.cpp, with bounds of whole numbers, which llama-cpp-python's converter ignores."""

import json
from collections.abc import Iterator
from typing import Any

from agent0es.models.base import RequestRefused

MOST_DIGITS = 15
"""Of a whole number without a bound; more are no longer exact as a float."""
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_UNKNOWN = ("multipleOf", "not", "uniqueItems", "patternProperties", "if", "dependentRequired", "contains")
"""Keywords that the converter passes over without a word."""


def grammar_of(schema: dict[str, Any]) -> str:
    """In GBNF; the rule `root` is the whole. Raises RequestRefused for a schema that can't be kept to."""
    from llama_cpp.llama_grammar import RESERVED_NAMES, SchemaConverter

    class Converter(SchemaConverter):  # type: ignore[misc]
        def visit(self, schema: dict[str, Any], name: str) -> Any:
            if left := [key for key in _UNKNOWN if key in schema]:
                raise ValueError(f"it knows no {left[0]}")
            if any(key in schema for key in _BOUNDS) and not {"const", "enum"} & set(schema):
                if schema.get("type") != "integer":
                    raise ValueError("it knows bounds of whole numbers only")
                rule = f"{name}-" if name in RESERVED_NAMES else name or "root"
                return self._add_rule(rule, f"({whole_numbers(*_bounds(schema))}) space")
            return super().visit(schema, name)

    try:
        converter = Converter(prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False)
        own = json.loads(json.dumps(schema))  # the converter writes into it
        converter.visit(converter.resolve_refs(own, ""), "")
    except (AssertionError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise RequestRefused(f"llama-cpp can't keep to this JSON schema: {str(error)[:200]}") from None
    return str(converter.format_grammar())


def whole_numbers(low: int, high: int) -> str:
    """Those from low to high, both included, as alternatives in GBNF. Pure."""
    if low > high:
        raise ValueError(f"there is no whole number from {low} to {high}")
    parts = [f'"-" ({part})' for part in _natural(max(1, -high), -low)] if low < 0 else []
    return " | ".join([*parts, *_natural(max(0, low), high)])


def _bounds(schema: dict[str, Any]) -> tuple[int, int]:
    most = 10**MOST_DIGITS - 1
    low = max(schema.get("minimum", -most), schema.get("exclusiveMinimum", -most - 1) + 1)
    high = min(schema.get("maximum", most), schema.get("exclusiveMaximum", most + 1) - 1)
    if low != int(low) or high != int(high):
        raise ValueError("the bounds of a whole number are whole numbers")
    return int(low), int(high)


def _natural(low: int, high: int) -> Iterator[str]:
    """An alternative for each number of digits."""
    for digits in range(len(str(low)), len(str(max(0, high))) + 1):
        first = max(low, 10 ** (digits - 1) if digits > 1 else 0)
        last = min(high, 10**digits - 1)
        if first <= last:
            yield _same_length(str(first), str(last))


def _same_length(low: str, high: str) -> str:
    rest = len(low) - 1
    if low == high:
        return f'"{low}"'
    if low[0] == high[0]:
        return f'"{low[0]}" ({_same_length(low[1:], high[1:])})'
    first, last, parts = int(low[0]), int(high[0]), []
    if low[1:].strip("0"):
        parts.append(f'"{first}" ({_same_length(low[1:], "9" * rest)})')
        first += 1
    if high[1:].strip("9"):
        parts.append(f'"{last}" ({_same_length("0" * rest, high[1:])})')
        last -= 1
    if first <= last:
        parts.append(f"[{first}-{last}]" + (f" [0-9]{{{rest}}}" if rest else ""))
    return " | ".join(parts)
