"""Derivatives, integrals and limits with the `math` tool. Answers are in SymPy's form, by the rules of calculus."""

from fractions import Fraction
from functools import partial

from agent0es.taskdomains.base import Family, Int
from agent0es.taskdomains.math.families.common import polynomial, scaled

practised = partial(Family, group="calculus", split="practised")
held_out = partial(Family, group="calculus", split="held_out")

SCALE = Int((11, 19), (20, 90))
RATE = Int((3, 9), (11, 40))
POWER = Int((3, 4), (5, 9))


def _increasing(**bounds: int) -> str | None:
    return None if bounds["c"] < bounds["d"] else "the lower bound must be below the upper one"


FAMILIES = (
    practised(
        name="slope_at",
        parameters={"a": SCALE, "n": POWER, "t": Int((3, 5), (6, 10))},
        wordings=(
            "Find the derivative of {a}*x**{n} at x = {t}.",
            "What is the slope of the curve y = {a}*x**{n} where x = {t}?",
        ),
        reference_action="math[diff({a}*x**{n}, x).subs(x, {t})]",
        answer_of=lambda a, n, t: str(a * n * t ** (n - 1)),
    ),
    practised(
        name="second_derivative",
        parameters={"a": SCALE, "n": Int((4, 5), (6, 10))},
        wordings=("Differentiate {a}*x**{n} twice.", "Find the second derivative of {a}*x**{n}."),
        reference_action="math[diff(diff({a}*x**{n}, x), x)]",
        answer_of=lambda a, n: polynomial(*[0] * (n - 2), a * n * (n - 1)),
    ),
    practised(
        name="product_derivative",
        parameters={"a": SCALE, "b": SCALE},
        wordings=(
            "Differentiate the product (x + {a})*(x + {b}) and expand.",
            "Find the derivative of (x + {a})*(x + {b}), expanded.",
        ),
        reference_action="math[expand(diff((x + {a})*(x + {b}), x))]",
        answer_of=lambda a, b: polynomial(a + b, 2),
    ),
    practised(
        name="sine_derivative",
        parameters={"a": SCALE, "b": RATE},
        wordings=("Differentiate {a}*sin({b}*x).", "Find the derivative of {a}*sin({b}*x)."),
        reference_action="math[diff({a}*sin({b}*x), x)]",
        answer_of=lambda a, b: f"{a * b}*cos({b}*x)",
    ),
    practised(
        name="exponential_integral",
        parameters={"a": SCALE, "b": RATE},
        wordings=("Integrate {a}*exp({b}*x).", "Find an antiderivative of {a}*exp({b}*x)."),
        reference_action="math[integrate({a}*exp({b}*x), x)]",
        answer_of=lambda a, b: scaled(Fraction(a, b), f"exp({b}*x)"),
    ),
    practised(
        name="area_under_line",
        parameters={"a": RATE, "b": SCALE, "c": Int((3, 6), (8, 20)), "d": Int((7, 12), (21, 60))},
        wordings=(
            "Integrate {a}*x + {b} from {c} to {d}.",
            "What is the area under the line {a}*x + {b} from x = {c} to x = {d}?",
        ),
        reference_action="math[integrate({a}*x + {b}, (x, {c}, {d}))]",
        answer_of=lambda a, b, c, d: str(Fraction((a * c + b + a * d + b) * (d - c), 2)),  # a trapezoid
        constraint=_increasing,
    ),
    practised(
        name="limit_of_quotient",
        parameters={"a": Int((3, 12), (15, 900))},
        wordings=(
            "Find the limit of (x**2 - {a}**2)/(x - {a}) as x goes to {a}.",
            "What does (x**2 - {a}**2)/(x - {a}) approach when x approaches {a}?",
        ),
        reference_action="math[limit((x**2 - {a}**2)/(x - {a}), x, {a})]",
        answer_of=lambda a: str(a + a),
    ),
    practised(
        name="limit_at_infinity",
        parameters={"a": RATE, "b": RATE, "c": RATE, "d": RATE},
        wordings=(
            "Find the limit of ({a}*x + {b})/({c}*x + {d}) as x goes to infinity.",
            "What does ({a}*x + {b})/({c}*x + {d}) approach for x to infinity?",
        ),
        reference_action="math[limit(({a}*x + {b})/({c}*x + {d}), x, oo)]",
        answer_of=lambda a, b, c, d: str(Fraction(a, c)),
    ),
    held_out(
        name="area_under_parabola",
        parameters={"a": RATE, "b": Int((3, 9), (11, 30))},
        wordings=("Integrate {a}*x**2 from 0 to {b}.", "What is the area under {a}*x**2 from x = 0 to x = {b}?"),
        reference_action="math[integrate({a}*x**2, (x, 0, {b}))]",
        answer_of=lambda a, b: str(Fraction(a * b**3, 3)),
    ),
    held_out(
        name="cosine_derivative",
        parameters={"a": SCALE, "b": RATE},
        wordings=("Differentiate {a}*cos({b}*x).", "Find the derivative of {a}*cos({b}*x)."),
        reference_action="math[diff({a}*cos({b}*x), x)]",
        answer_of=lambda a, b: f"-{a * b}*sin({b}*x)",
    ),
    held_out(
        name="tangent_height",
        parameters={"a": RATE, "t": Int((3, 6), (8, 20)), "u": Int((7, 12), (21, 60))},
        wordings=(
            "The tangent to y = {a}*x**2 at x = {t}: how high is it at x = {u}?",
            "Take the tangent of {a}*x**2 at x = {t}. What is its value at x = {u}?",
        ),
        reference_action="math[{a}*{t}**2 + diff({a}*x**2, x).subs(x, {t})*({u} - {t})]",
        answer_of=lambda a, t, u: str(a * t * (u + u - t)),
    ),
)
