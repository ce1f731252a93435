"""Exact decimals with two places: 12.34 is written from 12 and 34."""

from fractions import Fraction
from functools import partial

from agent0es.taskdomains.base import Family, Int

practised = partial(Family, group="decimals", split="practised")
held_out = partial(Family, group="decimals", split="held_out")

WHOLE = Int((3, 9), (10, 400))
PART = Int((11, 99), (11, 99))
TWO = {"a": WHOLE, "b": PART, "c": WHOLE, "d": PART}


def _hundredths(whole: int, part: int) -> int:
    return 100 * whole + part


def _decimal(units: int, places: int) -> str:
    """A whole number of units of 10**-places, with all its places."""
    size = str(abs(units)).zfill(places + 1)
    return f"{'-' if units < 0 else ''}{size[:-places]}.{size[-places:]}"


FAMILIES = (
    practised(
        name="decimal_sum",
        parameters=TWO,
        wordings=("Add the decimals {a}.{b} and {c}.{d}.", "What is the decimal {a}.{b} plus {c}.{d}?"),
        reference_action='python[Decimal("{a}.{b}") + Decimal("{c}.{d}")]',
        answer_of=lambda a, b, c, d: _decimal(_hundredths(a, b) + _hundredths(c, d), 2),
    ),
    practised(
        name="decimal_difference",
        parameters=TWO,
        wordings=("What is the decimal {a}.{b} minus {c}.{d}?", "Compute the decimal difference {a}.{b} - {c}.{d}."),
        reference_action='python[Decimal("{a}.{b}") - Decimal("{c}.{d}")]',
        answer_of=lambda a, b, c, d: _decimal(_hundredths(a, b) - _hundredths(c, d), 2),
    ),
    practised(
        name="decimal_product",
        parameters=TWO,
        wordings=("Multiply the decimals {a}.{b} and {c}.{d}.", "What is the decimal {a}.{b} times {c}.{d}?"),
        reference_action='python[Decimal("{a}.{b}") * Decimal("{c}.{d}")]',
        answer_of=lambda a, b, c, d: _decimal(_hundredths(a, b) * _hundredths(c, d), 4),
    ),
    practised(
        name="larger_decimal",
        parameters=TWO,
        wordings=(
            "Which decimal is larger, {a}.{b} or {c}.{d}?",
            "Find the larger of the decimals {a}.{b} and {c}.{d}.",
        ),
        reference_action='python[max(Decimal("{a}.{b}"), Decimal("{c}.{d}"))]',
        answer_of=lambda a, b, c, d: _decimal(max((_hundredths(a, b), _hundredths(c, d))), 2),
    ),
    practised(
        name="decimal_times_whole",
        parameters={"a": WHOLE, "b": PART, "n": Int((3, 9), (11, 60))},
        wordings=("Multiply the decimal {a}.{b} by {n}.", "What is the decimal {a}.{b} times {n}?"),
        reference_action='python[Decimal("{a}.{b}") * {n}]',
        answer_of=lambda a, b, n: _decimal(sum([_hundredths(a, b)] * n), 2),
    ),
    practised(
        name="decimal_rounded",
        parameters={"a": WHOLE, "b": Int((101, 999), (10001, 99999))},
        wordings=("Round the decimal {a}.{b} to a whole number.", "What is {a}.{b}, rounded to a whole number?"),
        reference_action='python[round(Decimal("{a}.{b}"))]',
        answer_of=lambda a, b: str(a + (str(b)[0] >= "5")),
        constraint=lambda a, b: "halfway between two whole numbers" if str(b).strip("0") == "5" else None,
    ),
    practised(
        name="fraction_from_decimal",
        parameters={"a": WHOLE, "b": PART},
        wordings=("Write the decimal {a}.{b} as a fraction.", "Convert {a}.{b} to a fraction in lowest terms."),
        reference_action='python[Fraction("{a}.{b}")]',
        answer_of=lambda a, b: str(a + Fraction(b, 100)),
    ),
    held_out(
        name="decimal_square",
        parameters={"a": WHOLE, "b": PART},
        wordings=("Square the decimal {a}.{b}.", "What is the decimal {a}.{b} to the power of two?"),
        reference_action='python[Decimal("{a}.{b}") ** 2]',
        answer_of=lambda a, b: _decimal(_hundredths(a, b) ** 2, 4),
    ),
)
