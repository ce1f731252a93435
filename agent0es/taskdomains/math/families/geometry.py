"""Points, plane figures and solids."""

from decimal import Decimal, localcontext
from fractions import Fraction
from functools import partial
from math import pi

from agent0es.taskdomains.base import Family, Int
from agent0es.taskdomains.math.families.common import quotient

practised = partial(Family, group="geometry", split="practised")
held_out = partial(Family, group="geometry", split="held_out")

SIDE = Int((4, 20), (40, 400))
POINT = Int((3, 20), (40, 400))
RADIUS = Int((4, 12), (20, 90))


def _root(square: int) -> str:
    """The square root as the nearest float."""
    with localcontext(prec=60):
        return str(float(Decimal(square).sqrt()))


def _times_pi(factor: Fraction) -> str:
    """The nearest float to a multiple of the float pi."""
    return str(float(factor * Fraction(pi)))


def _apart(a: int, b: int, c: int, d: int) -> str | None:
    return None if a != c else "the line must not be vertical"


def _hollow(outer: int, inner: int) -> str | None:
    return None if inner < outer else "the hole must be smaller than the disc"


FAMILIES = (
    practised(
        name="box_surface",
        parameters={"a": SIDE, "b": SIDE, "c": SIDE},
        wordings=(
            "A box is {a} by {b} by {c}. What is its surface area?",
            "Find the surface area of a box with edges {a}, {b} and {c}.",
        ),
        reference_action="python[2 * ({a} * {b} + {b} * {c} + {c} * {a})]",
        answer_of=lambda a, b, c: str((a + b + c) ** 2 - a * a - b * b - c * c),
    ),
    practised(
        name="trapezoid_area",
        parameters={"a": SIDE, "b": SIDE, "h": SIDE},
        wordings=(
            "A trapezoid has parallel sides {a} and {b} and height {h}. What is its area?",
            "Find the area of a trapezoid with parallel sides {a} and {b} and height {h}.",
        ),
        reference_action="python[({a} + {b}) * {h} / 2]",
        answer_of=lambda a, b, h: quotient(a * h + b * h, 2),
    ),
    practised(
        name="angle_sum",
        parameters={"n": Int((5, 12), (15, 90))},
        wordings=(
            "What is the sum of the angles of a polygon with {n} corners, in degrees?",
            "How many degrees do the angles of a polygon with {n} sides have together?",
        ),
        reference_action="python[({n} - 2) * 180]",
        answer_of=lambda n: str(180 * n - 360),
    ),
    practised(
        name="midpoint",
        parameters={"a": POINT, "b": POINT, "c": POINT, "d": POINT},
        wordings=(
            "What is the midpoint of ({a}, {b}) and ({c}, {d})?",
            "Find the point halfway between ({a}, {b}) and ({c}, {d}).",
        ),
        reference_action="python[(({a} + {c}) / 2, ({b} + {d}) / 2)]",
        answer_of=lambda a, b, c, d: f"({quotient(a + c, 2)}, {quotient(b + d, 2)})",
    ),
    practised(
        name="squared_distance",
        parameters={"a": POINT, "b": POINT, "c": POINT, "d": POINT},
        wordings=(
            "What is the square of the distance of ({a}, {b}) and ({c}, {d})?",
            "Find the squared distance from ({a}, {b}) to ({c}, {d}).",
        ),
        reference_action="python[({a} - {c}) ** 2 + ({b} - {d}) ** 2]",
        answer_of=lambda a, b, c, d: str(a * a + b * b + c * c + d * d - 2 * (a * c + b * d)),
    ),
    practised(
        name="circumference",
        parameters={"r": Int((4, 20), (40, 900))},
        wordings=(
            "Find the circumference of a circle with radius {r}.",
            "A circle has radius {r}. How long is it around?",
        ),
        reference_action="python[2 * math.pi * {r}]",
        answer_of=lambda r: _times_pi(Fraction(2 * r)),
    ),
    practised(
        name="path_around_lawn",
        parameters={"a": SIDE, "b": SIDE, "w": Int((3, 5), (6, 12))},
        wordings=(
            "A lawn of {a} by {b} has a path of width {w} all around it. What is the area of lawn and path?",
            "Around a garden of {a} by {b} runs a path {w} wide. How large are both together?",
        ),
        reference_action="python[({a} + 2 * {w}) * ({b} + 2 * {w})]",
        answer_of=lambda a, b, w: str(a * b + 2 * w * (a + b) + 4 * w * w),
    ),
    practised(
        name="third_angle",
        parameters={"a": Int((20, 60), (25, 85)), "b": Int((20, 60), (35, 89))},
        wordings=(
            "Two angles of a triangle are {a} and {b} degrees. How large is the third?",
            "A triangle has angles of {a} and {b} degrees. What is the other one?",
        ),
        reference_action="python[180 - {a} - {b}]",
        answer_of=lambda a, b: str(sum((90 - a, 90 - b))),
    ),
    practised(
        name="shoelace_triangle",
        parameters={"a": POINT, "b": POINT, "c": POINT, "d": POINT},
        wordings=(
            "What is the area of the triangle (0, 0), ({a}, {b}), ({c}, {d})?",
            "Find the area of the triangle with corners at the origin, ({a}, {b}) and ({c}, {d}).",
        ),
        reference_action="python[abs({a} * {d} - {b} * {c}) / 2]",
        answer_of=lambda a, b, c, d: quotient(max(a * d, b * c) - min(a * d, b * c), 2),
    ),
    held_out(
        name="sphere_volume",
        parameters={"r": RADIUS},
        wordings=("Find the volume of a sphere with radius {r}.", "A ball has radius {r}. What is its volume?"),
        reference_action="python[4 / 3 * math.pi * {r} ** 3]",
        answer_of=lambda r: _times_pi(Fraction(4 * r**3, 3)),
    ),
    held_out(
        name="cylinder_volume",
        parameters={"r": RADIUS, "h": SIDE},
        wordings=(
            "Find the volume of a cylinder with radius {r} and height {h}.",
            "A cylinder has radius {r} and is {h} high. What is its volume?",
        ),
        reference_action="python[math.pi * {r} ** 2 * {h}]",
        answer_of=lambda r, h: _times_pi(Fraction(r * r * h)),
    ),
    held_out(
        name="square_diagonal",
        parameters={"a": SIDE},
        wordings=("Find the diagonal of a square with side {a}.", "A square has side {a}. How long is its diagonal?"),
        reference_action="python[{a} * math.sqrt(2)]",
        answer_of=lambda a: _root(2 * a * a),
    ),
    held_out(
        name="slope_between",
        parameters={"a": POINT, "b": POINT, "c": POINT, "d": POINT},
        wordings=(
            "What is the slope of the line through ({a}, {b}) and ({c}, {d}), as a fraction?",
            "A line goes through ({a}, {b}) and ({c}, {d}). Find its slope as a fraction.",
        ),
        reference_action="python[Fraction({d} - {b}, {c} - {a})]",
        answer_of=lambda a, b, c, d: str(-Fraction(b - d) / Fraction(a - c) * -1),
        constraint=_apart,
    ),
    held_out(
        name="ring_area",
        parameters={"outer": Int((9, 20), (60, 300)), "inner": Int((4, 8), (20, 59))},
        wordings=(
            "A disc of radius {outer} has a round hole of radius {inner}. What area is left?",
            "Find the area between two circles of radius {outer} and {inner} around the same centre.",
        ),
        reference_action="python[math.pi * ({outer} ** 2 - {inner} ** 2)]",
        answer_of=lambda outer, inner: _times_pi(Fraction((outer - inner) * (outer + inner))),
        constraint=_hollow,
    ),
)
