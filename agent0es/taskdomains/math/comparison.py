"""Whether two answers that were split say the same: part by part, and evaluates nothing itself.

Used twice with the same rules: in-process, where every part must be a number, and inside the sandbox, where parts are
compared by algebra. A judgement is True, False or None for undecided.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from agent0es.taskdomains.math.shapes import INFINITE, MOST_ITEMS, Shape, as_interval, letters, other_unknown

Leaf = Callable[[str, str], "bool | None"]
"""Compares what was given with what is true, both without commas or brackets around them."""

INDEXED = re.compile(r"([A-Za-z])_?[0-9]")
"""`x_1 = 2, x_2 = 3` are two values of x."""


def every(judged: "Iterable[bool | None]") -> "bool | None":
    """False where one is, else None where one is, else True."""
    found = list(judged)
    return False if False in found else None if None in found else True


def some(judged: "Iterable[bool | None]") -> "bool | None":
    """True where one is, else None where one is, else False."""
    found = list(judged)
    return True if True in found else None if None in found else False


def compare(given: Shape, true: Shape, leaf: Leaf, unordered: bool = False, python_list: bool = False) -> "bool | None":
    """Whether the two say the same. `unordered`: the true list is a solution set. `python_list`: it was printed by
    Python, so that `[1, 2]` is no interval."""
    if given.kind == "open" or other_unknown(given, true):
        return None
    if unordered and true.kind == "list":
        if all(item.kind == "list" for item in true.items) and true.items and given.kind in ("bare", "list"):
            given = _points(given)  # solutions of a system: [(1, 2), (2, 1)]
        true = Shape("set", true.items)
    match true.kind:
        case "value":
            return _one(given, lambda text: leaf(text, true.text))
        case "equation" | "relation":
            return _one(given, lambda text: leaf(text, true.text), whole=True)
        case "named":
            return _compare_named(given, true, leaf)
        case "set":
            return _compare_sets(given, true, leaf, python_list)
        case "union":
            parts = given.items if given.kind == "union" else (given,)
            return _match(parts, true.items, lambda one, other: compare(one, other, leaf)) or None  # parts may overlap
        case "interval":
            return _compare_intervals(given, true, leaf)
        case "both" | "open":
            return None
    return _compare_lists(given, true, leaf, python_list)


def _one(given: Shape, judge: "Callable[[str], bool | None]", whole: bool = False) -> "bool | None":
    """Judge the one text that was given: a value, `x = value`, or a single item in brackets."""
    if given.kind in ("value", "equation", "relation"):
        return judge(given.text)
    if given.kind == "named" and len(given.items) == 1 and given.items[0].kind == "value":
        name, value = given.names[0], given.items[0].text
        return judge(f"{name} = {value}") if whole else judge(value)
    if given.kind in ("set", "list") and len(given.items) == 1:
        return _one(given.items[0], judge, whole)
    return None if given.kind == "both" else False


def _compare_named(given: Shape, true: Shape, leaf: Leaf) -> "bool | None":
    if given.kind == "named":
        if sorted(given.names) == sorted(true.names):
            values = dict(zip(given.names, given.items, strict=True))
            return every(compare(values[name], item, leaf) for name, item in zip(true.names, true.items, strict=True))
        if len(true.items) == 1 and len(given.items) == 1 and _has_letters(true.items[0]):
            return leaf(_as_text(given), _as_text(true))
        return False
    if len(true.items) == 1:
        if given.kind == "equation":
            return leaf(given.text, _as_text(true)) if given.text else None
        return compare(given, true.items[0], leaf)
    if given.kind in ("bare", "list") and len(given.items) == len(true.items):
        # (2, 3) for x = 2, y = 3: in the order of the names
        order = sorted(range(len(true.names)), key=lambda index: true.names[index])
        return every(compare(item, true.items[index], leaf) for item, index in zip(given.items, order, strict=True))
    return False


def _compare_sets(given: Shape, true: Shape, leaf: Leaf, python_list: bool) -> "bool | None":
    if given.kind == "named" and len(set(given.names)) > 1 and not all(map(INDEXED.fullmatch, given.names)):
        return False if true.items and all(item.kind == "value" for item in true.items) else None
    if given.kind == "interval":
        return False
    if given.kind in ("union", "both", "relation", "equation"):
        return None
    if given.kind == "list" and len(given.items) == 2:
        same = _match(given.items, true.items, lambda one, other: compare(one, other, leaf))
        return None if same and not python_list else same  # a point, or all between the ends
    items = given.items if given.kind in ("set", "bare", "list", "named") else (given,)
    return _match(items, true.items, lambda one, other: compare(one, other, leaf))


def _match(
    given: Sequence[Shape], true: Sequence[Shape], same: "Callable[[Shape, Shape], bool | None]"
) -> "bool | None":
    """Whether each of one side has its equal on the other."""
    if not given or not true:
        return not given and not true
    if len(given) * len(true) > MOST_ITEMS**2:
        return None
    table = [[same(one, other) for other in true] for one in given]
    return every([*(some(row) for row in table), *(some(column) for column in zip(*table, strict=True))])


def _compare_intervals(given: Shape, true: Shape, leaf: Leaf) -> "bool | None":
    given = as_interval(given)
    if given.kind != "interval":
        known = given.kind in ("bare", "list", "set", "named") and all(item.kind == "value" for item in given.items)
        return False if known or (given.kind == "value" and not letters(given.text)) else None
    brackets = [
        one == other or bool(INFINITE.fullmatch(end.text))
        for one, other, end in zip(given.text, true.text, true.items, strict=True)
    ]
    if not all(brackets):
        return False
    return every(map(lambda one, other: _end(one, other, leaf), given.items, true.items))


def _end(given: Shape, true: Shape, leaf: Leaf) -> "bool | None":
    ends = [INFINITE.fullmatch(end.text) for end in (given, true)]
    if all(ends):
        return given.text.strip().startswith("-") == true.text.strip().startswith("-")
    return False if any(ends) else compare(given, true, leaf)


def _compare_lists(given: Shape, true: Shape, leaf: Leaf, python_list: bool) -> "bool | None":
    if given.kind == "interval" and true.kind == "list" and len(true.items) == 2:
        return _compare_intervals(given, as_interval(true), leaf)
    if given.kind in ("union", "both", "relation", "equation"):
        return None
    if given.kind == "set" and (given.items or true.items):
        alike = given.items and _compare_lists(Shape("bare", given.items), true, leaf, True) is not False
        return None if alike else False
    if given.kind == "named" and any(item.kind in ("list", "bare") for item in given.items):
        return compare(given.items[0], true, leaf, python_list=python_list) if len(given.items) == 1 else None
    if given.kind == "named" and len(given.items) > 1:
        return None
    if len(given.items) == 1 and _depth(given) == _depth(true) + 1:
        same = compare(given.items[0], true, leaf, python_list=python_list)  # a matrix in one more pair of brackets
        return same if _depth(true) > 1 else same and None
    items = given.items if given.kind in ("bare", "list", "set") else (given,)
    if len(items) != len(true.items):
        return False
    same = every(
        compare(one, other, leaf, python_list=python_list) for one, other in zip(items, true.items, strict=True)
    )
    brackets_differ = given.kind == true.kind == "list" and given.text != true.text
    if same is True and brackets_differ and not python_list and len(items) == 2 and items[0].kind == "value":
        return None  # [1, 2] and (1, 2) are the same pair, or a closed and an open interval
    return same


def _depth(one: Shape) -> int:
    """How many lists are around the values."""
    return 1 + max(map(_depth, one.items), default=0) if one.kind == "list" else 0


def _points(given: Shape) -> Shape:
    if given.kind == "list" and given.items and given.items[0].kind == "value":
        return Shape("set", (given,))
    return Shape("set", given.items)


def _has_letters(value: Shape) -> bool:
    return value.kind == "value" and letters(value.text)


def _as_text(named: Shape) -> str:
    return f"{named.names[0]} = {named.items[0].text}"
