"""Sets of real numbers: whether two ways to write one, as intervals, points, unions or inequalities, are the same.

Used twice, as `shapes.py` is: in-process with ends that are numbers, in the sandbox with any that can be compared.
"""

import math
from collections.abc import Callable
from typing import Any

from agent0es.taskdomains.math.shapes import INFINITE, REALS, Shape, other_unknown

Number = Callable[[str], Any]
"""An end of an interval as something that can be ordered; None where it can't be read."""
Piece = tuple[Any, bool, Any, bool]
"""(low, low is open, high, high is closed): pieces sort by where they begin."""


def same_reals(given: Shape, true: Shape, number: Number) -> "bool | None":
    """Whether both are the same set of real numbers; None where one of them isn't read as such a set."""
    kinds = {given.kind, true.kind}
    if not kinds & {"interval", "union", "both"} or other_unknown(given, true):
        return None
    first, second = pieces(given, number), pieces(true, number)
    return None if first is None or second is None else merged(first) == merged(second)


def pieces(shape: Shape, number: Number) -> "list[Piece] | None":
    """The intervals that a shape is made of; a number is one that holds only itself."""
    if shape.kind == "interval" or (shape.kind == "list" and len(shape.items) == 2):
        ends = [end(item, number) for item in shape.items]
        if None in ends or not ends[0] <= ends[1]:
            return None
        return [(ends[0], shape.text[0] == "(", ends[1], shape.text[1] == "]")]
    if shape.kind == "value" and shape.text == "R":
        return pieces(REALS, number)
    if shape.kind == "value":
        value = end(shape, number)
        return None if value is None else [(value, False, value, True)]
    parts = [pieces(item, number) for item in shape.items]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or shape.kind not in ("union", "set", "both", "named") or len({*shape.names}) > 1:
        return None
    if shape.kind != "both":
        return [piece for part in known for piece in part]
    common = known[0]
    for part in known[1:]:
        common = [piece for one in common for other in part for piece in overlap(one, other)]
    return common


def overlap(one: Piece, other: Piece) -> "list[Piece]":
    """What lies in both, as no piece or one."""
    low, low_open = max(one[:2], other[:2])
    high, high_closed = min(one[2:], other[2:])
    empty = low > high or (low == high and (low_open or not high_closed))
    return [] if empty else [(low, low_open, high, high_closed)]


def merged(found: "list[Piece]") -> "list[Piece]":
    """The pieces in order, those that overlap or touch made one; empty ones left out."""
    result: list[Piece] = []
    for piece in sorted(one for one in found if overlap(one, one)):
        if result:
            low, low_open, high, high_closed = result[-1]
            if piece[0] < high or (piece[0] == high and (high_closed or not piece[1])):
                result[-1] = (low, low_open, *max((high, high_closed), piece[2:]))
                continue
        result.append(piece)
    return result


def end(item: Shape, number: Number) -> Any:
    """The number at an end, or an infinity."""
    if item.kind != "value":
        return None
    if INFINITE.fullmatch(item.text):
        return -math.inf if item.text.strip().startswith("-") else math.inf
    return number(item.text)
