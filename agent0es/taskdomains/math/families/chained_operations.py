"""Operations on a number, a list or a word, one after the other: a few dozen of them make thousands of chains.

They are what practised families of `math` do, in other words. Two in a row that would be a family which is never
practised are left out.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agent0es.taskdomains.base import Int, Split
from agent0es.taskdomains.math.families.common import vocabulary
from agent0es.taskdomains.math.families.composing import Composed, ComposedFamily, composed_family

STEPS = Int((2, 2), (3, 4))
LARGEST = 10**7
Kind = Literal["number", "list", "word"]


@dataclass(frozen=True, slots=True)
class Operation:
    """What is done to a value."""

    name: str
    of: Kind
    to: Kind
    phrases: Sequence[str]
    """As it is told; {n} is its number."""
    code: str
    """Python for it, of the expression {x}."""
    value: Callable[[Any, int], Any]
    numbers: Sequence[int] = (0,)
    """Of which it takes one, where its phrases tell a number."""


def _digits(number: int) -> list[int]:
    return [*_digits(number // 10), number % 10] if number > 9 else [number]


def _turned(number: int) -> int:
    return sum(digit * 10**place for place, digit in enumerate(_digits(number)))


def _doubled(items: list[int], factor: int) -> list[int]:
    return [sum([item] * factor) for item in items]


NUMBER_TO_NUMBER = (
    ("multiply", ("multiply it by {n}", "take it {n} times"), "({x} * {n})", lambda x, n: sum([x] * n), range(3, 13)),
    ("add", ("add {n} to it", "increase it by {n}"), "({x} + {n})", lambda x, n: n + x, range(3, 90)),
    ("remainder", ("take its remainder modulo {n}",), "({x} % {n})", lambda x, n: x - x // n * n, range(5, 40)),
    ("divide", ("divide it by {n} and round down",), "({x} // {n})", lambda x, n: divmod(x, n)[0], range(3, 13)),
    ("square", ("square it", "take its square"), "({x} ** 2)", lambda x, n: x * x),
    ("digit sum", ("add its digits",), "sum(int(d) for d in str({x}))", lambda x, n: sum(_digits(x))),
    ("turn", ("write its digits in reverse order",), "int(str({x})[::-1])", lambda x, n: _turned(x)),
    ("largest digit", ("take its largest digit",), "max(int(d) for d in str({x}))", lambda x, n: max(_digits(x))),
    ("sum up to", ("add all numbers from 1 to it",), "sum(range(1, {x} + 1))", lambda x, n: x * (x + 1) // 2),
    ("digit count", ("count its digits",), "len(str({x}))", lambda x, n: len(_digits(x))),
)
NUMBER_TO_LIST = (
    ("digits", ("list its digits",), "[int(d) for d in str({x})]", lambda x, n: _digits(x)),
    (
        "multiples",
        ("list its first {n} multiples",),
        "[{x} * k for k in range(1, {n} + 1)]",
        lambda x, n: list(range(x, n * x + 1, x)),
        range(3, 7),
    ),
)
LIST_TO_LIST = (
    ("sort", ("sort them", "put them in order, the smallest first"), "sorted({x})", lambda x, n: sorted(x)),
    ("reverse", ("reverse their order",), "{x}[::-1]", lambda x, n: list(reversed(x))),
    ("multiply each", ("multiply each by {n}",), "[v * {n} for v in {x}]", _doubled, range(3, 13)),
    ("square each", ("square each of them",), "[v ** 2 for v in {x}]", lambda x, n: [v * v for v in x]),
    ("subtract", ("subtract {n} from each",), "[v - {n} for v in {x}]", lambda x, n: [-n + v for v in x], range(3, 30)),
    (
        "less",
        ("keep those that are less than {n}",),
        "[v for v in {x} if v < {n}]",
        lambda x, n: list(filter(n.__gt__, x)),
        range(10, 400),
    ),
    ("first", ("keep the first {n}",), "{x}[:{n}]", lambda x, n: [x[i] for i in range(min(n, len(x)))], range(3, 5)),
    ("different", ("sort them without repetitions",), "sorted(set({x}))", lambda x, n: sorted(dict.fromkeys(x))),
)
LIST_TO_NUMBER = (
    ("sum", ("add them", "take their sum"), "sum({x})", lambda x, n: sum(x)),
    ("largest", ("take the largest", "find their maximum"), "max({x})", lambda x, n: sorted(x)[-1]),
    ("length", ("count them",), "len({x})", lambda x, n: sum(1 for _ in x)),
    ("last", ("take the last one",), "{x}[-1]", lambda x, n: x[len(x) - 1]),
    ("even", ("count the even ones",), "len([v for v in {x} if v % 2 == 0])", lambda x, n: sum(v % 2 == 0 for v in x)),
    ("square sum", ("add their squares",), "sum(v ** 2 for v in {x})", lambda x, n: sum(v * v for v in x)),
    ("kinds", ("count how many different ones there are",), "len(set({x}))", lambda x, n: len(dict.fromkeys(x))),
)
WORD_TO_WORD = (
    ("backwards", ("write it backwards", "reverse it"), "{x}[::-1]", lambda x, n: "".join(reversed(x))),
    ("upper", ("write it in upper case",), "{x}.upper()", lambda x, n: x.swapcase() if x.islower() else x.upper()),
    ("sort letters", ("sort its letters",), '"".join(sorted({x}))', lambda x, n: "".join(sorted(x))),
    ("first letters", ("take its first {n} letters",), "{x}[:{n}]", lambda x, n: x.removesuffix(x[n:]), range(3, 6)),
    ("repeat", ("write it {n} times without spaces",), "({x} * {n})", lambda x, n: "".join([x] * n), range(3, 5)),
    (
        "capital",
        ("write it with a capital letter first",),
        "{x}.capitalize()",
        lambda x, n: x[0].upper() + x[1:].lower(),
    ),
)
WORD_TO_NUMBER = (
    ("letters", ("count its letters", "take its length"), "len({x})", lambda x, n: sum(1 for _ in x)),
    (
        "vowels",
        ("count its vowels (aeiou)",),
        'sum(c in "aeiou" for c in {x})',
        lambda x, n: sum(map(x.count, "aeiou")),
    ),
    ("letter kinds", ("count its different letters",), "len(set({x}))", lambda x, n: len(dict.fromkeys(x))),
)
KINDS: tuple[tuple[Kind, Kind, Sequence[Any]], ...] = (
    ("number", "number", NUMBER_TO_NUMBER),
    ("number", "list", NUMBER_TO_LIST),
    ("list", "list", LIST_TO_LIST),
    ("list", "number", LIST_TO_NUMBER),
    ("word", "word", WORD_TO_WORD),
    ("word", "number", WORD_TO_NUMBER),
)
OPERATIONS = tuple(
    Operation(name, of, to, phrases, code, value, *numbers)
    for of, to, rows in KINDS
    for name, phrases, code, value, *numbers in rows
)
NEVER = frozenset(
    {
        ("add", "multiply"),  # add_then_multiply
        ("multiply", "multiply"),  # product_of_three
        ("sort", "reverse"),  # sort_descending
        ("different", "reverse"),
        ("sort letters", "backwards"),  # sort_letters_descending
    }
)
"""In a row they are what some family does that is never practised."""
STARTS = {"number": "the number {x}", "list": "the numbers {x}", "word": "the word {x}"}


def _chain(rng: random.Random, start: Kind, end: Kind, steps: int) -> list[Operation] | None:
    """Operations in a row, from one kind of value to another; None where chance leads elsewhere."""
    chain: list[Operation] = []
    for _ in range(steps):
        kind, before = (chain[-1].to, chain[-1].name) if chain else (start, "")
        possible = [
            one for one in OPERATIONS if one.of == kind and (before, one.name) not in NEVER and one.name != before
        ]
        chain.append(rng.choice(possible))
    return chain if chain[-1].to == end else None


def _is_sound(value: Any, before: Any) -> bool:
    """Whether an operation did something, and what came of it is neither empty nor huge."""
    if value == before:
        return False
    if isinstance(value, int):
        return 0 < value < LARGEST
    return 2 <= len(value) <= 24 and (isinstance(value, str) or max(map(abs, value)) < LARGEST)


def _start(shape: random.Random, numbers: random.Random, kind: Kind) -> Any:
    if kind == "number":
        return numbers.randint(12, 999)
    if kind == "list":
        return [numbers.randint(1, 60) for _ in range(shape.randint(4, 7))]
    return numbers.choice(vocabulary()[shape.randint(4, 9)])


def _composed(start: Kind, end: Kind) -> Callable[[random.Random, random.Random, int], Composed | None]:
    def compose(shape: random.Random, numbers: random.Random, steps: int) -> Composed | None:
        chain = _chain(shape, start, end, steps)
        value = _start(shape, numbers, start)
        if chain is None:
            return None
        code = f'"{value}"' if start == "word" else str(value)
        told, phrases = [code], []
        for operation in chain:
            n, before = numbers.choice(operation.numbers), value
            phrase = shape.choice(operation.phrases)
            value, code = operation.value(before, n), operation.code.format(x=code, n=n)
            if not _is_sound(value, before):
                return None
            phrases.append(phrase.format(n=n))
            told += [str(n)] if "{n}" in phrase else []
        if len(set(told)) < len(told):
            return None
        opening = STARTS[start].format(x=told[0].replace('"', "'"))
        return Composed(f"Take {opening}: {', then '.join(phrases)}. What is the result?", code, str(value), told)

    return compose


def _family(start: Kind, end: Kind, split: Split) -> ComposedFamily:
    return composed_family(f"chained_{start}_to_{end}", split, "chained_operations", STEPS, _composed(start, end))


FAMILIES = (
    _family("number", "number", "practised"),
    _family("list", "list", "practised"),
    _family("list", "number", "practised"),
    _family("word", "word", "practised"),
    _family("number", "list", "held_out"),
    _family("word", "number", "held_out"),
)
