"""What a test expects, read from Python notation. Nothing is evaluated: only plain values are known."""

import ast
import json
import math
import re
from collections.abc import Callable

from agent0es.tools.inside.codec import NotPlain, encode

DIGITS_AT_ONCE = 4000
"""Python refuses to read more than 4,300 digits at once."""
LONG_INTEGER = re.compile(r"('(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\")|(?<![\w.])([0-9][0-9_]{3999,})(?![\w.])")
NUMBERS = {"inf": math.inf, "nan": math.nan}
KINDS: dict[str, Callable[..., object]] = {
    "set": set,
    "frozenset": frozenset,
    "list": list,
    "tuple": tuple,
    "bytearray": bytearray,
}


class UnreadableExpectation(Exception):
    """No result can be judged by this expectation. The message says why."""


def read_expected(text: str, most_bytes: int) -> object:
    """The plain value that a text says: a literal with integers of any length, `inf`, `float('nan')`, `frozenset({1})`.

    `most_bytes` is how much of a result comes back to be compared. Raises UnreadableExpectation.
    """
    try:
        value = _value(ast.parse(LONG_INTEGER.sub(_hexadecimal, text.strip()), mode="eval").body)
        size = len(json.dumps(encode(value)))
    except NotPlain as error:
        raise UnreadableExpectation(f"it is {error}") from None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, SystemError) as error:
        raise UnreadableExpectation(f"{type(error).__name__}: {error}") from None
    if size > most_bytes:
        raise UnreadableExpectation(f"it is larger than the {most_bytes} bytes that come back of a result")
    return value


def _hexadecimal(found: re.Match[str]) -> str:
    """A long integer as Python reads it without a limit; a text as it is."""
    if found[1] is not None:
        return found[1]
    digits, number = found[2].replace("_", ""), 0
    for start in range(0, len(digits), DIGITS_AT_ONCE):
        piece = digits[start : start + DIGITS_AT_ONCE]
        number = number * 10 ** len(piece) + int(piece)
    return hex(number)


def _value(node: ast.expr) -> object:
    match node:
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="math"), attr=name) if name in NUMBERS:
            return NUMBERS[name]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Name() | ast.Attribute() as operand):
            number = _value(operand)
            assert isinstance(number, float)
            return -number
        case ast.Call(func=ast.Name(id="float"), args=[argument], keywords=[]):
            number = ast.literal_eval(argument)
            if isinstance(number, str | int | float):
                return float(number)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in KINDS and len(arguments) < 2:
            return KINDS[name](*map(_value, arguments))
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Set(elts=items):
            return {_value(item) for item in items}
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {_value(key): _value(value) for key, value in zip(keys, values, strict=True) if key is not None}
        case _:
            pass
    return ast.literal_eval(node)
