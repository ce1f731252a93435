"""Inside the sandbox, on the side of the tests: something of the solution that is no plain data.

Its operators are the solution's own words, and could say what a test wants to hear: an object whose `__sub__` gives 0
is as near to every expected value as it likes. So an object that an operator has shown data to gives no data back by
one: `abs(f(x) - 3.14) < 1e-6` is about numbers, and needs one that was sent as a number. Where a test has to believe
an object, as in `stack == other` or `3 in stack`, that is noted.
"""

import json
import operator
from collections.abc import Callable
from typing import Any, Protocol

OPERATIONS = tuple(
    f"__{name}__"
    for name in """len iter next getitem setitem delitem contains str repr int float abs neg add radd sub rsub mul rmul
    truediv rtruediv floordiv mod pow matmul and or xor enter exit""".split()
)
"""What is asked of an object of the solution by a name with underscores."""

SHOWN_TO = tuple(
    f"__{name}__" for name in "add radd sub rsub truediv rtruediv floordiv mod and or xor contains".split()
)
"""Operators whose other side may be what is expected. Not the product: whoever scales is not told the result."""
BELIEVED = {"__contains__": "in"}


class Asked(Protocol):
    """The solution, as what stands for its objects asks it."""

    leaned: set[str]
    """Where the test that runs believes what objects of the solution say."""

    def ask(self, what: str, on: object, *args: object, **keywords: object) -> Any: ...


def _operation(name: str) -> Callable[..., Any]:
    def operate(self: "Remote", *args: object) -> Any:
        solution, target, shown = _held(self)
        result = solution.ask(name, target, *args)
        data = bool(args) and not isinstance(args[0], Remote)
        if name in BELIEVED:
            solution.leaned.add(BELIEVED[name])
        elif isinstance(result, Remote):
            object.__setattr__(result, "_shown", shown or (name in SHOWN_TO and data))
        elif result is not None and (shown or (name in SHOWN_TO and data)):
            raise TypeError("an object of the solution stands where data is expected")
        elif name in SHOWN_TO:
            solution.leaned.add("operators")
        return result

    return operate


def _held(remote: "Remote") -> tuple[Asked, object, bool]:
    solution, target, shown = (object.__getattribute__(remote, name) for name in ("_solution", "_target", "_shown"))
    return solution, target, shown


class Remote:
    """Something of the solution that is no plain data: a function, a class, an object. It stays where it is."""

    __slots__ = ("_shown", "_solution", "_target")

    def __init__(self, solution: Asked, target: object) -> None:
        object.__setattr__(self, "_solution", solution)
        object.__setattr__(self, "_target", target)
        object.__setattr__(self, "_shown", False)

    def __call__(self, *args: object, **keywords: object) -> Any:
        solution, target, _ = _held(self)
        return solution.ask("call", target, *args, **keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        solution, target, _ = _held(self)
        return solution.ask("attribute", target, name)

    def __setattr__(self, name: str, value: object) -> None:
        solution, target, _ = _held(self)
        solution.ask("set", target, name, value)

    def __eq__(self, other: object) -> bool:
        solution, target, _ = _held(self)
        if isinstance(other, Remote):
            solution.leaned.add("==")
            return solution.ask("equal", target, other) is True
        found = solution.ask("get", target)
        return not isinstance(found, Remote) and bool(found == other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __bool__(self) -> bool:
        solution, target, shown = _held(self)
        if shown:
            raise TypeError("an object of the solution stands where data is expected")
        solution.leaned.add("truth")
        return solution.ask("bool", target) is True

    def __hash__(self) -> int:
        return hash(json.dumps(object.__getattribute__(self, "_target")))

    def __instancecheck__(self, other: object) -> bool:
        solution, target, _ = _held(self)
        solution.leaned.add("isinstance")
        return isinstance(other, Remote) and solution.ask("instance", target, other) is True


def _comparison(name: str) -> Callable[[Remote, object], Any]:
    def compare(self: Remote, other: object) -> Any:
        solution, target, _ = _held(self)
        if isinstance(other, Remote):
            solution.leaned.add("<")
            return solution.ask(name, target, other) is True
        found = solution.ask("get", target)
        if isinstance(found, Remote):
            raise TypeError("an object of the solution is compared with data")
        return getattr(operator, name)(found, other)

    return compare


for _name in OPERATIONS:
    setattr(Remote, _name, _operation(_name))
for _name in ("__lt__", "__le__", "__gt__", "__ge__"):
    setattr(Remote, _name, _comparison(_name))
