"""Operators on whole numbers."""

from functools import partial

from agent0es.taskdomains.base import Family, Int
from agent0es.taskdomains.math.families.common import quotient

practised = partial(Family, group="arithmetic", split="practised")
held_out = partial(Family, group="arithmetic", split="held_out")
validation = partial(Family, group="arithmetic", split="validation")

FACTOR = Int((11, 40), (200, 999))
PERCENT = Int((5, 60), (11, 95))
AMOUNT = Int((120, 400), (1000, 9000))


def _power(a: int, b: int) -> int:
    result = 1
    for _ in range(b):
        result *= a
    return result


FAMILIES = (
    practised(
        name="product",
        parameters={"a": FACTOR, "b": FACTOR},
        wordings=("Multiply {a} by {b}.", "What is {a} times {b}?", "Compute the product of {a} and {b}."),
        reference_action="python[{a} * {b}]",
        answer_of=lambda a, b: str(sum(a * digit * 10**i for i, digit in enumerate(map(int, str(b)[::-1])))),
    ),
    practised(
        name="sum_of_three",
        parameters={"a": FACTOR, "b": FACTOR, "c": FACTOR},
        wordings=("Add {a}, {b} and {c}.", "What is {a} plus {b} plus {c}?"),
        reference_action="python[{a} + {b} + {c}]",
        answer_of=lambda a, b, c: str(sum((a, b, c))),
    ),
    practised(
        name="remainder",
        parameters={"a": Int((50, 200), (2000, 9999)), "b": Int((3, 12), (13, 97))},
        wordings=("Compute the remainder when {a} is divided by {b}.", "What is {a} modulo {b}?"),
        reference_action="python[{a} % {b}]",
        answer_of=lambda a, b: str(divmod(a, b)[1]),
    ),
    practised(
        name="whole_quotient",
        parameters={"a": Int((50, 200), (2000, 9999)), "b": Int((3, 12), (13, 97))},
        wordings=("Divide {a} by {b} and round down.", "What is {a} divided by {b}, rounded down?"),
        reference_action="python[{a} // {b}]",
        answer_of=lambda a, b: str(divmod(a, b)[0]),
    ),
    practised(
        name="power",
        parameters={"a": Int((3, 9), (11, 30)), "b": Int((2, 4), (4, 7))},
        wordings=("Compute {a} to the power of {b}.", "Raise {a} to the power {b}."),
        reference_action="python[{a} ** {b}]",
        answer_of=lambda a, b: str(_power(a, b)),
    ),
    practised(
        name="multiply_then_add",
        parameters={"a": FACTOR, "b": FACTOR, "c": FACTOR},
        wordings=("Multiply {a} by {b} and add {c}.", "What is {a} times {b} plus {c}?"),
        reference_action="python[{a} * {b} + {c}]",
        answer_of=lambda a, b, c: str(sum([a] * b, c)),
    ),
    practised(
        name="absolute_difference",
        parameters={"a": Int((10, 99), (1000, 9999)), "b": Int((10, 99), (1000, 9999))},
        wordings=("Compute the absolute difference of {a} and {b}.", "What is the absolute value of {a} minus {b}?"),
        reference_action="python[abs({a} - {b})]",
        answer_of=lambda a, b: str(max(a, b) - min(a, b)),
    ),
    practised(
        name="percent_of",
        parameters={"percent": PERCENT, "amount": AMOUNT},
        wordings=("What is {percent} percent of {amount}?", "Compute {percent}% of {amount}."),
        reference_action="python[{amount} * {percent} / 100]",
        answer_of=lambda percent, amount: quotient(amount * percent, 100),
    ),
    practised(
        name="percent_increase",
        parameters={"amount": AMOUNT, "percent": PERCENT},
        wordings=("Increase {amount} by {percent} percent.", "What is {amount} after an increase of {percent}%?"),
        reference_action="python[{amount} * (100 + {percent}) / 100]",
        answer_of=lambda amount, percent: quotient(100 * amount + amount * percent, 100),
    ),
    practised(
        name="sum_of_squares",
        parameters={"a": Int((3, 20), (50, 400)), "b": Int((3, 20), (50, 400))},
        wordings=("Add the squares of {a} and {b}.", "What is {a} squared plus {b} squared?"),
        reference_action="python[{a} ** 2 + {b} ** 2]",
        answer_of=lambda a, b: str((a + b) * (a + b) - 2 * a * b),
    ),
    practised(
        name="subtract_then_multiply",
        parameters={"a": Int((41, 90), (1000, 2000)), "b": FACTOR, "c": FACTOR},
        wordings=("Subtract {b} from {a}, then multiply by {c}.", "What is the difference of {a} and {b}, times {c}?"),
        reference_action="python[({a} - {b}) * {c}]",
        answer_of=lambda a, b, c: str(a * c - b * c),
    ),
    practised(
        name="product_of_sums",
        parameters={"a": FACTOR, "b": FACTOR, "c": FACTOR, "d": FACTOR},
        wordings=(
            "Multiply the sum of {a} and {b} by the sum of {c} and {d}.",
            "What is {a} plus {b}, times {c} plus {d}, with the sums first?",
        ),
        reference_action="python[({a} + {b}) * ({c} + {d})]",
        answer_of=lambda a, b, c, d: str(a * c + a * d + b * c + b * d),
    ),
    practised(
        name="mean_of_two",
        parameters={"a": FACTOR, "b": FACTOR},
        wordings=("Compute the mean of {a} and {b}.", "What is half of the sum of {a} and {b}?"),
        reference_action="python[({a} + {b}) / 2]",
        answer_of=lambda a, b: quotient(a + b, 2),
    ),
    practised(
        name="percent_share",
        parameters={"part": Int((5, 60), (100, 900)), "whole": Int((61, 200), (1000, 5000))},
        wordings=("What percent of {whole} is {part}?", "Express {part} as a percentage of {whole}."),
        reference_action="python[100 * {part} / {whole}]",
        answer_of=lambda part, whole: quotient(part * 100, whole),
    ),
    practised(
        name="two_subtractions",
        parameters={"a": Int((81, 200), (2000, 9999)), "b": FACTOR, "c": FACTOR},
        wordings=("Compute {a} minus {b} minus {c}.", "Take {b} and then {c} away from {a}."),
        reference_action="python[{a} - {b} - {c}]",
        answer_of=lambda a, b, c: str(sum((a, -b, -c))),
    ),
    practised(
        name="remainder_of_power",
        parameters={"a": Int((3, 9), (11, 90)), "n": Int((3, 9), (11, 90)), "m": Int((5, 20), (50, 999))},
        wordings=("Compute {a} to the power of {n} modulo {m}.", "Raise {a} to the power {n}, modulo {m}."),
        reference_action="python[pow({a}, {n}, {m})]",
        answer_of=lambda a, n, m: str(_power(a, n) % m),
    ),
    practised(
        name="largest_of_three",
        parameters={"a": FACTOR, "b": FACTOR, "c": FACTOR},
        wordings=("Which is the largest of {a}, {b} and {c}?", "Find the largest of the numbers {a}, {b} and {c}."),
        reference_action="python[max({a}, {b}, {c})]",
        answer_of=lambda a, b, c: str(sorted((a, b, c))[2]),
    ),
    practised(
        name="bitwise_and",
        parameters={"a": FACTOR, "b": FACTOR},
        wordings=("Compute the bitwise AND of {a} and {b}.", "What is {a} & {b}, the bitwise AND?"),
        reference_action="python[{a} & {b}]",
        answer_of=lambda a, b: str(sum(2**i for i in range(12) if a // 2**i % 2 and b // 2**i % 2)),
    ),
    held_out(
        name="difference",
        parameters={"a": Int((50, 99), (5000, 9999)), "b": Int((10, 49), (1000, 4999))},
        wordings=("Compute {a} minus {b}.", "What is {a} minus {b}?"),
        reference_action="python[{a} - {b}]",
        answer_of=lambda a, b: str(sum((a, -b))),
    ),
    held_out(
        name="quotient",
        parameters={"a": Int((50, 200), (2000, 9999)), "b": Int((3, 12), (13, 97))},
        wordings=("Divide {a} by {b}.", "What is {a} divided by {b}, as a decimal?"),
        reference_action="python[{a} / {b}]",
        answer_of=lambda a, b: quotient(a, b),
    ),
    held_out(
        name="product_of_three",
        parameters={"a": FACTOR, "b": FACTOR, "c": FACTOR},
        wordings=("Multiply {a}, {b} and {c}.", "What is {a} times {b} times {c}?"),
        reference_action="python[{a} * {b} * {c}]",
        answer_of=lambda a, b, c: str(sum([a * b] * c)),
    ),
    held_out(
        name="add_then_multiply",
        parameters={"a": FACTOR, "b": FACTOR, "c": FACTOR},
        wordings=("Add {a} and {b}, then multiply the sum by {c}.", "What is the sum of {a} and {b}, times {c}?"),
        reference_action="python[({a} + {b}) * {c}]",
        answer_of=lambda a, b, c: str(a * c + b * c),
    ),
    held_out(
        name="quotient_and_remainder",
        parameters={"a": Int((50, 200), (2000, 9999)), "b": Int((3, 12), (13, 97))},
        wordings=(
            "Give the quotient and the remainder of {a} divided by {b}.",
            "Divide {a} by {b} with divmod: quotient and remainder.",
        ),
        reference_action="python[divmod({a}, {b})]",
        answer_of=lambda a, b: f"({a // b}, {a % b})",
    ),
    held_out(
        name="percent_decrease",
        parameters={"amount": AMOUNT, "percent": PERCENT},
        wordings=("Decrease {amount} by {percent} percent.", "What is {amount} after a decrease of {percent}%?"),
        reference_action="python[{amount} * (100 - {percent}) / 100]",
        answer_of=lambda amount, percent: quotient(100 * amount - amount * percent, 100),
    ),
    held_out(
        name="difference_of_squares",
        parameters={"a": Int((21, 40), (401, 800)), "b": Int((3, 20), (50, 400))},
        wordings=("Compute the square of {a} minus the square of {b}.", "What is {a} squared minus {b} squared?"),
        reference_action="python[{a} ** 2 - {b} ** 2]",
        answer_of=lambda a, b: str((a + b) * (a - b)),
    ),
    validation(
        name="rounded_quotient",
        parameters={"a": Int((50, 200), (2000, 9999)), "b": Int((3, 12), (13, 97))},
        wordings=("Divide {a} by {b} and round to 2 decimals.", "What is {a} divided by {b}, rounded to 2 places?"),
        reference_action="python[round({a} / {b}, 2)]",
        answer_of=lambda a, b: str(round(float(quotient(a, b)), 2)),
    ),
)
