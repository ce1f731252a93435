"""What the families share: kinds of words and numbers, and how Python prints a value."""

from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from pathlib import Path

from agent0es.taskdomains.parameters import Bounds, IntList, Phrase

NUMBERS = IntList((3, 4), (5, 8), digits=(1, 3))
"""A list with items up to 9 at difficulty 0, up to 999 at 1."""


@cache
def vocabulary() -> dict[int, tuple[str, ...]]:
    """Common English words by their length, 3 to 10 letters."""
    text = Path(__file__).parent.with_name("vocabulary.txt").read_text(encoding="utf-8")
    lines = (tuple(line.split()) for line in text.splitlines())
    return {len(words[0]): words for words in lines}


def word(easy: Bounds = (3, 5), hard: Bounds = (7, 10)) -> Phrase:
    """One word of so many letters."""
    return Phrase(vocabulary(), easy_letters=easy, hard_letters=hard)


def words(easy: Bounds = (2, 3), hard: Bounds = (4, 6)) -> Phrase:
    """So many short words."""
    return Phrase(vocabulary(), easy, hard, easy_letters=(3, 4), hard_letters=(3, 6))


def ints(text: str) -> list[int]:
    """The items of a list that is written as text."""
    return [int(item) for item in text.split(", ")]


def quotient(numerator: int, denominator: int) -> str:
    """Their exact quotient as the nearest float: what Python's `/` prints."""
    return str(float(Fraction(numerator, denominator)))


def listed(items: Iterable[object]) -> str:
    """A list as Python prints it."""
    return str(list(items))


def digits(number: int, base: int = 10) -> list[int]:
    """The digits of a positive number, the highest first."""
    found: list[int] = []
    while number:
        number, digit = divmod(number, base)
        found.append(digit)
    return found[::-1]


def in_base(number: int, base: int, prefix: str) -> str:
    """A positive number in a base up to 16, lower case, after a prefix."""
    return prefix + "".join("0123456789abcdef"[digit] for digit in digits(number, base))


def polynomial(*coefficients: int) -> str:
    """A polynomial in x, the constant first, as SymPy prints it: `polynomial(12, -7, 1)` is `x**2 - 7*x + 12`."""
    text = ""
    for power, coefficient in reversed(list(enumerate(coefficients))):
        if not coefficient:
            continue
        symbol = ("", "x", f"x**{power}")[min(power, 2)]
        size = "*".join(filter(None, [str(abs(coefficient)) if abs(coefficient) > 1 or not symbol else "", symbol]))
        sign = ("-" if coefficient < 0 else "") if not text else (" - " if coefficient < 0 else " + ")
        text += sign + size
    return text or "0"


def scaled(factor: Fraction, term: str) -> str:
    """A positive rational times a term, as SymPy prints it: `5*exp(3*x)/2`."""
    over = f"/{factor.denominator}" if factor.denominator > 1 else ""
    return (f"{factor.numerator}*" if factor.numerator > 1 else "") + term + over
