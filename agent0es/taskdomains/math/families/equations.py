"""Systems of equations and polynomials beyond the first ones of `algebra.py`, with the `math` tool."""

from fractions import Fraction
from functools import partial

from agent0es.taskdomains.base import Family, Int
from agent0es.taskdomains.math.families.common import polynomial

practised = partial(Family, group="equations", split="practised")
held_out = partial(Family, group="equations", split="held_out")

SHIFT = Int((3, 9), (10, 60))
SCALE = Int((3, 9), (11, 40))


def _cramer(a: int, b: int, c: int, d: int, e: int, f: int) -> str:
    """The point where a*x + b*y = e and c*x - d*y = f, as SymPy prints it."""
    below = -a * d - b * c
    return f"{{x: {Fraction(-e * d - b * f, below)}, y: {Fraction(a * f - c * e, below)}}}"


def _two_whole_numbers(total: int, apart: int) -> str | None:
    if apart >= total:
        return "the difference must be smaller than the sum"
    return None if (total - apart) % 2 == 0 else "sum and difference must both be even or both odd"


def _descending(a: int, b: int, c: int, d: int) -> str | None:
    return None if a > c else "the left side must grow faster than the right one"


def _horner(coefficients: tuple[int, ...], x: int) -> int:
    value = 0
    for coefficient in coefficients:
        value = value * x + coefficient
    return value


FAMILIES = (
    practised(
        name="sum_and_difference",
        parameters={"total": Int((12, 60), (100, 900)), "apart": Int((3, 11), (12, 99))},
        wordings=(
            "Solve the system x + y = {total}, x - y = {apart}.",
            "Find x and y with x + y = {total} and x - y = {apart}.",
        ),
        reference_action="math[solve([x + y - {total}, x - y - {apart}], [x, y])]",
        answer_of=lambda total, apart: f"{{x: {apart + (total - apart) // 2}, y: {(total - apart) // 2}}}",
        constraint=_two_whole_numbers,
    ),
    practised(
        name="two_linear_equations",
        parameters={"a": SCALE, "b": SCALE, "e": Int((10, 60), (70, 400)), "c": SCALE, "d": SCALE, "f": SHIFT},
        wordings=(
            "Solve the system {a}*x + {b}*y = {e}, {c}*x - {d}*y = {f}.",
            "Find x and y with {a}*x + {b}*y = {e} and {c}*x - {d}*y = {f}.",
        ),
        reference_action="math[solve([{a}*x + {b}*y - {e}, {c}*x - {d}*y - {f}], [x, y])]",
        answer_of=lambda a, b, e, c, d, f: _cramer(a, b, c, d, e, f),
    ),
    practised(
        name="unknown_on_both_sides",
        parameters={"a": Int((7, 12), (20, 60)), "b": SHIFT, "c": Int((3, 8), (9, 25)), "d": SHIFT},
        wordings=("Solve {a}*x + {b} = {c}*x + {d} for x.", "For which x is {a}*x + {b} equal to {c}*x + {d}?"),
        reference_action="math[solve({a}*x + {b} - ({c}*x + {d}), x)]",
        answer_of=lambda a, b, c, d: f"[{Fraction(d - b, a - c)}]",
        constraint=_descending,
    ),
    practised(
        name="polynomial_product",
        parameters={"a": SHIFT, "b": SHIFT},
        wordings=("Expand (x**2 + {a})*(x + {b}).", "Multiply out the product (x**2 + {a})*(x + {b})."),
        reference_action="math[expand((x**2 + {a})*(x + {b}))]",
        answer_of=lambda a, b: polynomial(a * b, a, b, 1),
    ),
    practised(
        name="polynomial_sum",
        parameters={"a": SCALE, "b": SCALE, "c": SCALE, "d": SCALE},
        wordings=(
            "Add the polynomials {a}*x**2 + {b}*x and {c}*x**2 + {d}*x.",
            "What is the sum of {a}*x**2 + {b}*x and {c}*x**2 + {d}*x?",
        ),
        reference_action="math[{a}*x**2 + {b}*x + {c}*x**2 + {d}*x]",
        answer_of=lambda a, b, c, d: polynomial(0, b + d, a + c),
    ),
    practised(
        name="polynomial_remainder",
        parameters={"a": SCALE, "b": SHIFT, "c": Int((3, 9), (10, 30))},
        wordings=(
            "Find the remainder of x**2 + {a}*x + {b} divided by x - {c}.",
            "What remains when x**2 + {a}*x + {b} is divided by x - {c}?",
        ),
        reference_action="math[rem(x**2 + {a}*x + {b}, x - {c})]",
        answer_of=lambda a, b, c: str(_horner((1, a, b), c)),
    ),
    practised(
        name="polynomial_quotient",
        parameters={"a": SCALE, "b": SHIFT, "c": Int((3, 9), (10, 30))},
        wordings=(
            "Find the quotient of x**2 + {a}*x + {b} divided by x - {c}.",
            "Divide x**2 + {a}*x + {b} by x - {c} and give the quotient.",
        ),
        reference_action="math[quo(x**2 + {a}*x + {b}, x - {c})]",
        answer_of=lambda a, b, c: polynomial(a + c, 1),
    ),
    practised(
        name="linear_factor_out",
        parameters={"a": SCALE, "b": SCALE},
        wordings=("Factor x**2*{a} + x*{a}*{b}.", "Write x**2*{a} + x*{a}*{b} as a product."),
        reference_action="math[factor(x**2*{a} + x*{a}*{b})]",
        answer_of=lambda a, b: f"{a}*x*(x + {b})",
    ),
    held_out(
        name="cube_of_difference",
        parameters={"a": Int((4, 9), (10, 40))},
        wordings=("Expand (x - {a})**3.", "Expand the cube (x - {a})**3."),
        reference_action="math[expand((x - {a})**3)]",
        answer_of=lambda a: polynomial(-(a**3), 3 * a * a, -3 * a, 1),
    ),
    held_out(
        name="factored_squares",
        parameters={"a": Int((3, 12), (15, 300))},
        wordings=("Factor x**2 - {a}**2.", "Write x**2 - {a}**2 as a product of two factors."),
        reference_action="math[factor(x**2 - {a}**2)]",
        answer_of=lambda a: f"(x - {a})*(x + {a})",
    ),
    held_out(
        name="linked_equations",
        parameters={"a": SCALE, "b": SHIFT, "total": Int((10, 60), (70, 400))},
        wordings=(
            "Solve the system y = {a}*x + {b}, x + y = {total}.",
            "Find x and y with y = {a}*x + {b} and x + y = {total}.",
        ),
        reference_action="math[solve([{a}*x + {b} - y, x + y - {total}], [x, y])]",
        answer_of=lambda a, b, total: f"{{x: {Fraction(total - b, a + 1)}, y: {total - Fraction(total - b, a + 1)}}}",
    ),
)
