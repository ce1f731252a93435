"""Divisors, digits, counting and roots."""

import math
from decimal import Decimal, localcontext
from functools import partial

from agent0es.taskdomains.base import Choice, Family, Int
from agent0es.taskdomains.math.families.common import digits, in_base, listed

practised = partial(Family, group="number_theory", split="practised")
held_out = partial(Family, group="number_theory", split="held_out")
validation = partial(Family, group="number_theory", split="validation")

NUMBER = Int((12, 60), (200, 2000))
DIGITS = Int((123, 999), (10000, 999999))


def _root(number: int) -> Decimal:
    with localcontext(prec=60):
        return Decimal(number).sqrt()


def _logarithm(number: int) -> Decimal:
    with localcontext(prec=60):
        return Decimal(number).log10()


def _euclid(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


def _falling(n: int, k: int) -> int:
    """n (n - 1) ... (n - k + 1)."""
    return math.prod(range(n - k + 1, n + 1))


def _divisors(n: int) -> list[int]:
    small = [d for d in range(1, math.isqrt(n) + 1) if n % d == 0]
    return sorted({*small, *(n // d for d in small)})


FAMILIES = (
    practised(
        name="gcd",
        parameters={"a": NUMBER, "b": NUMBER},
        wordings=("Find the greatest common divisor (gcd) of {a} and {b}.", "What is the gcd of {a} and {b}?"),
        reference_action="python[math.gcd({a}, {b})]",
        answer_of=lambda a, b: str(_euclid(a, b)),
    ),
    practised(
        name="factorial",
        parameters={"n": Int((4, 8), (8, 16))},
        wordings=("Compute the factorial of {n}.", "What is {n} factorial?"),
        reference_action="python[math.factorial({n})]",
        answer_of=lambda n: str(_falling(n, n)),
    ),
    practised(
        name="combinations",
        parameters={"k": Int((2, 3), (3, 6)), "n": Int((5, 10), (12, 30))},
        wordings=(
            "Compute the number of combinations of {n} items taken {k} at a time.",
            "How many combinations of {k} items are there out of {n}?",
        ),
        reference_action="python[math.comb({n}, {k})]",
        answer_of=lambda k, n: str(_falling(n, k) // _falling(k, k)),
    ),
    practised(
        name="square_root",
        parameters={"n": Int((10, 100), (1000, 99999))},
        wordings=("Compute the square root of {n}.", "What is the square root of {n}?"),
        reference_action="python[math.sqrt({n})]",
        answer_of=lambda n: str(float(_root(n))),
    ),
    practised(
        name="digit_sum",
        parameters={"n": DIGITS},
        wordings=("Add the digits of {n}.", "What is the sum of the digits of {n}?"),
        reference_action="python[sum(int(d) for d in str({n}))]",
        answer_of=lambda n: str(sum(digits(n))),
    ),
    practised(
        name="digit_count",
        parameters={"n": Int((12, 9999), (1000, 999999999))},
        wordings=("How many digits does {n} have?", "Count the digits of {n}."),
        reference_action="python[len(str({n}))]",
        answer_of=lambda n: str(len(digits(n))),
    ),
    practised(
        name="number_reversal",
        parameters={"n": DIGITS},
        wordings=("Write the digits of {n} in reverse order.", "Reverse the digits of {n}."),
        reference_action="python[str({n})[::-1]]",
        answer_of=lambda n: "".join(str(digit) for digit in reversed(digits(n))),
    ),
    practised(
        name="binary",
        parameters={"n": Int((5, 40), (200, 2000))},
        wordings=("Convert {n} to binary.", "Write {n} in binary."),
        reference_action="python[bin({n})]",
        answer_of=lambda n: in_base(n, 2, "0b"),
    ),
    practised(
        name="divisor_sum",
        parameters={"n": Int((6, 30), (60, 400))},
        wordings=("Add all divisors of {n}.", "What is the sum of the divisors of {n}?"),
        reference_action="python[sum(d for d in range(1, {n} + 1) if {n} % d == 0)]",
        answer_of=lambda n: str(sum(_divisors(n))),
    ),
    practised(
        name="multiple_count",
        parameters={"d": Int((3, 9), (11, 30)), "n": Int((20, 60), (200, 2000))},
        wordings=(
            "How many numbers from 1 to {n} are divisible by {d}?",
            "Count the numbers from 1 to {n} that are divisible by {d}.",
        ),
        reference_action="python[len([x for x in range(1, {n} + 1) if x % {d} == 0])]",
        answer_of=lambda d, n: str(n // d),
    ),
    practised(
        name="decimal_from_binary",
        parameters={"bits": Choice(tuple(in_base(n, 2, "") for n in range(9, 250, 5)))},
        wordings=("Convert the binary number {bits} to decimal.", "What is binary {bits} in decimal?"),
        reference_action='python[int("{bits}", 2)]',
        answer_of=lambda bits: str(sum(2**i for i, bit in enumerate(reversed(bits)) if bit == "1")),
    ),
    practised(
        name="largest_digit",
        parameters={"n": DIGITS},
        wordings=("Find the largest digit of {n}.", "What is the largest digit of {n}?"),
        reference_action="python[max(int(d) for d in str({n}))]",
        answer_of=lambda n: str(sorted(digits(n))[-1]),
    ),
    practised(
        name="sorted_digits",
        parameters={"n": DIGITS},
        wordings=("Sort the digits of {n}.", "Write the digits of {n} in sorted order."),
        reference_action='python["".join(sorted(str({n})))]',
        answer_of=lambda n: "".join(str(d) * digits(n).count(d) for d in range(10)),
    ),
    practised(
        name="digit_list",
        parameters={"n": DIGITS},
        wordings=("List the digits of {n}.", "Write the digits of {n} as a list."),
        reference_action="python[[int(d) for d in str({n})]]",
        answer_of=lambda n: listed(digits(n)),
    ),
    practised(
        name="different_digits",
        parameters={"n": DIGITS},
        wordings=("How many different digits does {n} have?", "Count the different digits of {n}."),
        reference_action="python[len(set(str({n})))]",
        answer_of=lambda n: str(sum(1 for d in range(10) if d in digits(n))),
    ),
    practised(
        name="divisor_count",
        parameters={"n": Int((6, 30), (60, 400))},
        wordings=("How many divisors does {n} have?", "Count the divisors of {n}."),
        reference_action="python[len([d for d in range(1, {n} + 1) if {n} % d == 0])]",
        answer_of=lambda n: str(len(_divisors(n))),
    ),
    practised(
        name="multiples_between",
        parameters={"d": Int((3, 7), (8, 15)), "low": Int((10, 20), (50, 90)), "high": Int((40, 60), (150, 300))},
        wordings=(
            "List the numbers from {low} to {high} that are divisible by {d}.",
            "Which numbers from {low} to {high} are divisible by {d}?",
        ),
        reference_action="python[[x for x in range({low}, {high} + 1) if x % {d} == 0]]",
        answer_of=lambda d, low, high: listed(range(-(-low // d) * d, high + 1, d)),
    ),
    practised(
        name="base_ten_logarithm",
        parameters={"n": Int((11, 99), (1001, 99999))},
        wordings=(
            "Compute log10 of {n}, rounded to 4 decimals.",
            "What is the base-10 logarithm (log10) of {n}, to 4 decimals?",
        ),
        reference_action="python[round(math.log10({n}), 4)]",
        answer_of=lambda n: str(round(float(_logarithm(n)), 4)),
    ),
    practised(
        name="hypotenuse",
        parameters={"a": Int((3, 20), (50, 400)), "b": Int((3, 20), (50, 400))},
        wordings=(
            "Find the hypotenuse of a right triangle with legs {a} and {b}.",
            "A right triangle has legs {a} and {b}. How long is its hypotenuse?",
        ),
        reference_action="python[math.hypot({a}, {b})]",
        answer_of=lambda a, b: str(float(_root(a * a + b * b))),
    ),
    practised(
        name="bit_count",
        parameters={"n": Int((5, 60), (200, 5000))},
        wordings=("How many ones are in the binary form of {n}?", "Count the ones of {n} written in binary."),
        reference_action='python[bin({n}).count("1")]',
        answer_of=lambda n: str(sum(digits(n, 2))),
    ),
    held_out(
        name="lcm",
        parameters={"a": NUMBER, "b": NUMBER},
        wordings=("Find the least common multiple (lcm) of {a} and {b}.", "What is the lcm of {a} and {b}?"),
        reference_action="python[math.lcm({a}, {b})]",
        answer_of=lambda a, b: str(a // _euclid(a, b) * b),
    ),
    held_out(
        name="permutations",
        parameters={"k": Int((2, 3), (3, 5)), "n": Int((5, 10), (12, 30))},
        wordings=(
            "Compute the number of permutations of {n} items taken {k} at a time.",
            "How many permutations of {k} items are there out of {n}?",
        ),
        reference_action="python[math.perm({n}, {k})]",
        answer_of=lambda k, n: str(_falling(n, k)),
    ),
    held_out(
        name="integer_square_root",
        parameters={"n": Int((10, 100), (1000, 99999))},
        wordings=("Compute the integer square root of {n}.", "What is the square root of {n}, rounded down (isqrt)?"),
        reference_action="python[math.isqrt({n})]",
        answer_of=lambda n: str(int(_root(n))),
    ),
    held_out(
        name="digit_product",
        parameters={"n": DIGITS},
        wordings=("Multiply the digits of {n}.", "What is the product (math.prod) of the digits of {n}?"),
        reference_action="python[math.prod(int(d) for d in str({n}))]",
        answer_of=lambda n: str(math.prod(digits(n))),
        constraint=lambda n: "a digit is 0" if "0" in str(n) else None,
    ),
    held_out(
        name="digit_occurrences",
        parameters={"digit": Choice(tuple("0123456789")), "n": Int((1000, 99999), (100000, 99999999))},
        wordings=("Count the digit {digit} in {n}.", "How many times does the digit {digit} occur in {n}?"),
        reference_action='python[str({n}).count("{digit}")]',
        answer_of=lambda digit, n: str(digits(n).count(int(digit))),
        constraint=lambda digit, n: None if digit in str(n) else "the digit does not occur",
    ),
    held_out(
        name="hexadecimal",
        parameters={"n": Int((20, 200), (500, 9999))},
        wordings=("Convert {n} to hexadecimal.", "Write {n} in hexadecimal (hex)."),
        reference_action="python[hex({n})]",
        answer_of=lambda n: in_base(n, 16, "0x"),
    ),
    held_out(
        name="divisor_list",
        parameters={"n": Int((6, 30), (60, 200))},
        wordings=("List all divisors of {n}.", "Make a list of the numbers from 1 to {n} that divide {n}."),
        reference_action="python[[d for d in range(1, {n} + 1) if {n} % d == 0]]",
        answer_of=lambda n: listed(_divisors(n)),
    ),
    validation(
        name="octal",
        parameters={"n": Int((10, 200), (500, 9999))},
        wordings=("Convert {n} to octal.", "Write {n} in octal."),
        reference_action="python[oct({n})]",
        answer_of=lambda n: in_base(n, 8, "0o"),
    ),
    validation(
        name="multiple_sum",
        parameters={"d": Int((3, 9), (11, 30)), "n": Int((20, 60), (200, 2000))},
        wordings=(
            "Add the numbers from 1 to {n} that are divisible by {d}.",
            "What is the sum of the numbers from 1 to {n} that are divisible by {d}?",
        ),
        reference_action="python[sum(x for x in range(1, {n} + 1) if x % {d} == 0)]",
        answer_of=lambda d, n: str(d * (n // d) * (n // d + 1) // 2),
    ),
    validation(
        name="quotient_rounded_up",
        parameters={"a": Int((50, 200), (2000, 9999)), "b": Int((3, 12), (13, 97))},
        wordings=("Divide {a} by {b} and round up (math.ceil).", "What is {a} divided by {b}, rounded up?"),
        reference_action="python[math.ceil({a} / {b})]",
        answer_of=lambda a, b: str(-(-a // b)),
    ),
)
