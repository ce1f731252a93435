"""Polynomials and equations, most of them with the slower `math` tool. Answers are in SymPy's canonical form."""

from functools import partial
from math import gcd, isqrt

from agent0es.taskdomains.base import Family, Int
from agent0es.taskdomains.math.families.common import polynomial

practised = partial(Family, group="algebra", split="practised")
held_out = partial(Family, group="algebra", split="held_out")

SHIFT = Int((1, 9), (10, 60))


def _ratio(numerator: int, denominator: int) -> str:
    common = gcd(numerator, denominator)
    below = denominator // common
    return f"[{numerator // common}]" if below == 1 else f"[{numerator // common}/{below}]"


def _roots(total: int, product: int) -> tuple[int, int] | None:
    """Two different whole numbers, the smaller first, by their sum and product."""
    square = total * total - 4 * product
    if square <= 0 or isqrt(square) ** 2 != square:
        return None
    return (total - isqrt(square)) // 2, (total + isqrt(square)) // 2


def _no_roots(b: int, c: int) -> str | None:
    return "there are no two different whole roots" if _roots(b, c) is None else None


FAMILIES = (
    practised(
        name="quadratic_value",
        parameters={"a": Int((3, 9), (11, 40)), "b": Int((3, 9), (11, 40)), "x": Int((3, 9), (11, 60))},
        wordings=("Compute {a} * x**2 + {b} * x for x = {x}.", "What is {a} * x**2 + {b} * x when x is {x}?"),
        reference_action="python[{a} * {x}**2 + {b} * {x}]",
        answer_of=lambda a, b, x: str((a * x + b) * x),
    ),
    practised(
        name="expansion",
        parameters={"a": SHIFT, "b": SHIFT},
        wordings=("Expand (x + {a})*(x + {b}).", "Expand the product (x + {a})*(x + {b})."),
        reference_action="math[expand((x + {a})*(x + {b}))]",
        answer_of=lambda a, b: polynomial(a * b, a + b, 1),
    ),
    practised(
        name="linear_equation",
        parameters={"a": Int((3, 9), (11, 30)), "b": Int((10, 40), (50, 300)), "c": Int((50, 99), (400, 999))},
        wordings=("Solve {a}*x + {b} = {c} for x.", "Solve the equation {a}*x + {b} = {c}."),
        reference_action="math[solve({a}*x + {b} - {c}, x)]",
        answer_of=lambda a, b, c: _ratio(c - b, a),
    ),
    practised(
        name="derivative",
        parameters={"a": Int((10, 19), (20, 60)), "n": Int((3, 4), (5, 9)), "b": Int((10, 19), (20, 60))},
        wordings=("Differentiate {a}*x**{n} + {b}*x with diff.", "Find the derivative of {a}*x**{n} + {b}*x."),
        reference_action="math[diff({a}*x**{n} + {b}*x, x)]",
        answer_of=lambda a, n, b: polynomial(b, *[0] * (n - 2), a * n),
    ),
    practised(
        name="square_expansion",
        parameters={"a": SHIFT},
        wordings=("Expand (x + {a})**2.", "Expand the square (x + {a})**2."),
        reference_action="math[expand((x + {a})**2)]",
        answer_of=lambda a: polynomial(a * a, 2 * a, 1),
    ),
    practised(
        name="antiderivative",
        parameters={"a": Int((2, 9), (10, 40)), "b": Int((2, 9), (10, 60))},
        wordings=("Integrate 2*{a}*x + {b} with integrate.", "Find the integral of 2*{a}*x + {b}."),
        reference_action="math[integrate(2*{a}*x + {b}, x)]",
        answer_of=lambda a, b: polynomial(0, b, a),
    ),
    practised(
        name="linear_value",
        parameters={"a": Int((3, 9), (11, 90)), "b": Int((3, 9), (11, 90)), "x": Int((3, 9), (11, 90))},
        wordings=("Compute {a} * (x + {b}) for x = {x}.", "What is {a} * (x + {b}) when x is {x}?"),
        reference_action="python[{a} * ({x} + {b})]",
        answer_of=lambda a, b, x: str(a * x + a * b),
    ),
    held_out(
        name="factorization",
        parameters={"b": Int((4, 12), (20, 60)), "c": Int((3, 36), (40, 500))},
        wordings=("Factor x**2 + {b}*x + {c}.", "Factor the polynomial x**2 + {b}*x + {c}."),
        reference_action="math[factor(x**2 + {b}*x + {c})]",
        answer_of=lambda b, c: "*".join(f"(x + {root})" for root in _roots(b, c) or ()),
        constraint=_no_roots,
    ),
    held_out(
        name="quadratic_equation",
        parameters={"b": Int((4, 12), (20, 60)), "c": Int((3, 36), (40, 500))},
        wordings=("Solve x**2 - {b}*x + {c} = 0 for x.", "Solve the equation x**2 - {b}*x + {c} = 0."),
        reference_action="math[solve(x**2 - {b}*x + {c}, x)]",
        answer_of=lambda b, c: str(list(_roots(b, c) or ())),
        constraint=_no_roots,
    ),
)
