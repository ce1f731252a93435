"""Exact fractions. Each is written as `3/4`; a whole result is printed without a denominator."""

from functools import partial
from math import gcd

from agent0es.taskdomains.base import Family, Int
from agent0es.taskdomains.math.families.common import quotient

practised = partial(Family, group="fractions", split="practised")
held_out = partial(Family, group="fractions", split="held_out")
validation = partial(Family, group="fractions", split="validation")

TOP = Int((1, 9), (5, 60))
BOTTOM = Int((2, 12), (12, 90))
TWO = {"a": TOP, "b": BOTTOM, "c": TOP, "d": BOTTOM}


def _lowest(numerator: int, denominator: int) -> str:
    common = gcd(numerator, denominator)
    numerator, denominator = numerator // common, denominator // common
    return str(numerator) if denominator == 1 else f"{numerator}/{denominator}"


FAMILIES = (
    practised(
        name="fraction_sum",
        parameters=TWO,
        wordings=("Add the fractions {a}/{b} and {c}/{d}.", "Compute the fraction {a}/{b} plus {c}/{d}."),
        reference_action='python[Fraction("{a}/{b}") + Fraction("{c}/{d}")]',
        answer_of=lambda a, b, c, d: _lowest(a * d + c * b, b * d),
    ),
    practised(
        name="fraction_product",
        parameters=TWO,
        wordings=("Multiply the fractions {a}/{b} and {c}/{d}.", "Compute the fraction {a}/{b} times {c}/{d}."),
        reference_action='python[Fraction("{a}/{b}") * Fraction("{c}/{d}")]',
        answer_of=lambda a, b, c, d: _lowest(a * c, b * d),
    ),
    practised(
        name="fraction_simplification",
        parameters={"a": Int((6, 40), (60, 400)), "b": Int((6, 40), (60, 400))},
        wordings=("Simplify the fraction {a}/{b}.", "Write the fraction {a}/{b} in lowest terms."),
        reference_action='python[Fraction("{a}/{b}")]',
        answer_of=lambda a, b: _lowest(a, b),
    ),
    practised(
        name="fraction_plus_whole",
        parameters={"a": TOP, "b": BOTTOM, "n": Int((2, 9), (11, 60))},
        wordings=("Add {n} to the fraction {a}/{b}.", "Compute the fraction {a}/{b} plus {n}."),
        reference_action='python[Fraction("{a}/{b}") + {n}]',
        answer_of=lambda a, b, n: _lowest(a + n * b, b),
    ),
    practised(
        name="fraction_of_number",
        parameters={"a": TOP, "b": BOTTOM, "n": Int((10, 60), (100, 900))},
        wordings=("What is {a}/{b} of {n}, as a fraction?", "Compute the fraction {a}/{b} of {n}."),
        reference_action='python[Fraction("{a}/{b}") * {n}]',
        answer_of=lambda a, b, n: _lowest(a * n, b),
    ),
    practised(
        name="decimal_from_fraction",
        parameters={"a": TOP, "b": BOTTOM},
        wordings=("Write the fraction {a}/{b} as a decimal.", "Convert the fraction {a}/{b} to a decimal."),
        reference_action='python[float(Fraction("{a}/{b}"))]',
        answer_of=lambda a, b: quotient(a, b),
    ),
    practised(
        name="larger_fraction",
        parameters={"a": TOP, "b": BOTTOM, "c": TOP, "d": BOTTOM},
        wordings=(
            "Which fraction is larger, {a}/{b} or {c}/{d}?",
            "Find the larger of the fractions {a}/{b} and {c}/{d}.",
        ),
        reference_action='python[max(Fraction("{a}/{b}"), Fraction("{c}/{d}"))]',
        answer_of=lambda a, b, c, d: _lowest(a, b) if a * d > c * b else _lowest(c, d),
    ),
    held_out(
        name="fraction_difference",
        parameters=TWO,
        wordings=("What is the fraction {a}/{b} minus {c}/{d}?", "Compute the fraction {a}/{b} minus {c}/{d}."),
        reference_action='python[Fraction("{a}/{b}") - Fraction("{c}/{d}")]',
        answer_of=lambda a, b, c, d: _lowest(a * d - c * b, b * d),
    ),
    held_out(
        name="fraction_quotient",
        parameters=TWO,
        wordings=("Divide the fraction {a}/{b} by {c}/{d}.", "Compute the fraction {a}/{b} divided by {c}/{d}."),
        reference_action='python[Fraction("{a}/{b}") / Fraction("{c}/{d}")]',
        answer_of=lambda a, b, c, d: _lowest(a * d, b * c),
    ),
    validation(
        name="fraction_power",
        parameters={"a": Int((4, 9), (6, 30)), "b": Int((5, 12), (12, 40)), "n": Int((2, 3), (3, 5))},
        wordings=("Raise the fraction {a}/{b} to the power {n}.", "Compute the fraction {a}/{b} to the power of {n}."),
        reference_action='python[Fraction("{a}/{b}") ** {n}]',
        answer_of=lambda a, b, n: _lowest(a**n, b**n),
    ),
)
