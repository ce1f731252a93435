"""Plain data as JSON and back, with its types. What hostile code sends is data and nothing else: nothing is unpickled.

Used on both sides: by the tool, and by the programs that run inside.
"""

import json
import math
import os

MAX_DEPTH = 30
MAX_ITEMS = 20_000
SAFE_INT = 1 << 62


class NotPlain(Exception):
    """A value that is no plain data, or too much of it."""


def encode(value: object, other: object = None) -> object:
    """JSON for a value. `other(value)` gives the JSON of what is no plain data; without it NotPlain is raised."""
    return _Encoder(other).encode(value, 0)


class _Encoder:
    def __init__(self, other: object) -> None:
        self.other = other
        self.items = 0

    def encode(self, value: object, depth: int) -> object:
        self.items += 1
        if depth > MAX_DEPTH or self.items > MAX_ITEMS:
            raise NotPlain("too large or too deeply nested")
        # Subclasses are sent as what they are made of, through the built-in's own methods: theirs may be tricks.
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            number = int.__add__(value, 0)
            return number if -SAFE_INT < number < SAFE_INT else {"i": hex(number)}
        if isinstance(value, float):
            return {"f": float.__repr__(value)}
        if isinstance(value, complex):
            parts = complex.__add__(value, 0j)
            return {"c": [repr(parts.real), repr(parts.imag)]}
        if isinstance(value, bytes | bytearray):
            return {"b": bytes(memoryview(value)).hex()}
        if isinstance(value, list):
            return [self.encode(item, depth + 1) for item in list.__iter__(value)]
        if isinstance(value, tuple):
            return {"t": [self.encode(item, depth + 1) for item in tuple.__iter__(value)]}
        if isinstance(value, dict):
            pairs = dict.items(value)
            return {"d": [[self.encode(key, depth + 1), self.encode(item, depth + 1)] for key, item in pairs]}
        if isinstance(value, set | frozenset):
            kind = set if isinstance(value, set) else frozenset
            items = [self.encode(item, depth + 1) for item in kind.__iter__(value)]  # type: ignore[arg-type]
            return {"s" if kind is set else "z": sorted(items, key=json.dumps)}
        if self.other is None:
            raise NotPlain(f"a {type(value).__name__} is no plain data; give a list, a dictionary, a text or a number")
        return self.other(value)  # type: ignore[operator]


def decode(data: object, other: object = None) -> object:
    """The value again. `other(data)` gives that of what `encode`'s `other` made. Raises NotPlain."""
    try:
        return _decode(data, other, 0)
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise NotPlain(f"unreadable: {error}") from None


def _decode(data: object, other: object, depth: int) -> object:
    if depth > MAX_DEPTH + 1:
        raise NotPlain("too deeply nested")
    if data is None or isinstance(data, bool | int | str):
        return data
    if isinstance(data, list):
        return [_decode(item, other, depth + 1) for item in data]
    if isinstance(data, dict) and len(data) == 1:
        [(kind, inner)] = data.items()
        if kind == "f":
            return float(inner)
        if kind == "i":
            return int(inner, 16)
        if kind == "c":
            return complex(float(inner[0]), float(inner[1]))
        if kind == "b":
            return bytes.fromhex(inner)
        if kind in ("t", "s", "z") and isinstance(inner, list):
            items = [_decode(item, other, depth + 1) for item in inner]
            return tuple(items) if kind == "t" else set(items) if kind == "s" else frozenset(items)
        if kind == "d" and isinstance(inner, list):
            return {_decode(key, other, depth + 1): _decode(item, other, depth + 1) for key, item in inner}
        if other is not None:
            return other(data)  # type: ignore[operator]
    raise NotPlain("unreadable")


def same(one: object, two: object) -> bool:
    """Whether plain values are equal and of the same types all the way down. Floats may differ in the last places."""
    if type(one) is not type(two):
        return False
    if isinstance(one, float):
        assert isinstance(two, float)
        return one == two or math.isclose(one, two, rel_tol=1e-9, abs_tol=1e-12) or (one != one and two != two)
    if isinstance(one, list | tuple):
        assert isinstance(two, list | tuple)
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, dict):
        assert isinstance(two, dict)
        return len(one) == len(two) and all(
            any(same(key, other) and same(value, two[other]) for other in two if other == key)
            for key, value in one.items()
        )
    if isinstance(one, set | frozenset):
        assert isinstance(two, set | frozenset)
        return one == two and {(type(item), item) for item in one} == {(type(item), item) for item in two}
    return one == two


def scratch() -> int:
    """An empty file without a name, in the working directory: memory files are refused, and /dev/null is not in
    every tier."""
    name = f".scratch-{os.getpid()}"
    number = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(name)
    return number
