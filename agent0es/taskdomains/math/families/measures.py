"""Units, times and shapes, with the rule in the description."""

from functools import partial
from math import pi

from agent0es.taskdomains.base import Family, Int
from agent0es.taskdomains.math.families.common import quotient

practised = partial(Family, group="measures", split="practised")
held_out = partial(Family, group="measures", split="held_out")

SIDE = Int((5, 30), (100, 900))

FAMILIES = (
    practised(
        name="celsius",
        parameters={"f": Int((33, 100), (101, 900))},
        wordings=(
            "Convert {f} degrees Fahrenheit to Celsius: subtract 32, times 5, divided by 9.",
            "Fahrenheit to Celsius, (f - 32) * 5 / 9: convert {f}.",
        ),
        reference_action="python[({f} - 32) * 5 / 9]",
        answer_of=lambda f: quotient(5 * f - 160, 9),
    ),
    practised(
        name="rectangle_perimeter",
        parameters={"a": SIDE, "b": SIDE},
        wordings=(
            "Find the perimeter of a rectangle with sides {a} and {b}.",
            "A rectangle is {a} long and {b} wide. What is its perimeter?",
        ),
        reference_action="python[2 * ({a} + {b})]",
        answer_of=lambda a, b: str(a + b + a + b),
    ),
    practised(
        name="minutes",
        parameters={"h": Int((2, 5), (10, 90)), "m": Int((6, 30), (31, 59))},
        wordings=("How many minutes are {h} hours and {m} minutes?", "Convert {h} hours and {m} minutes to minutes."),
        reference_action="python[{h} * 60 + {m}]",
        answer_of=lambda h, m: str(sum([60] * h, m)),
    ),
    practised(
        name="meters",
        parameters={"km": Int((2, 30), (31, 999)), "m": Int((6, 99), (100, 999))},
        wordings=("How many meters are {km} kilometers and {m} meters?", "Convert {km} km and {m} m to meters."),
        reference_action="python[{km} * 1000 + {m}]",
        answer_of=lambda km, m: f"{km}{m:03d}",
    ),
    practised(
        name="circle_area",
        parameters={"r": Int((2, 12), (20, 90))},
        wordings=("Find the area of a circle with radius {r}.", "A circle has radius {r}. What is its area?"),
        reference_action="python[math.pi * {r} ** 2]",
        answer_of=lambda r: str(float(pi) * (r * r)),
    ),
    practised(
        name="triangle_area",
        parameters={"base": SIDE, "height": SIDE},
        wordings=(
            "Find the area of a triangle with base {base} and height {height}.",
            "A triangle has base {base} and height {height}. What is its area?",
        ),
        reference_action="python[{base} * {height} / 2]",
        answer_of=lambda base, height: quotient(base * height, 2),
    ),
    practised(
        name="dozens",
        parameters={"n": Int((2, 12), (20, 90)), "extra": Int((1, 6), (7, 11))},
        wordings=(
            "How many eggs are {n} dozen and {extra} more?",
            "Count the eggs in {n} boxes of 12 and {extra} more.",
        ),
        reference_action="python[{n} * 12 + {extra}]",
        answer_of=lambda n, extra: str(sum([12] * n, extra)),
    ),
    held_out(
        name="fahrenheit",
        parameters={"c": Int((10, 60), (101, 900))},
        wordings=(
            "Convert {c} degrees Celsius to Fahrenheit: times 9, divided by 5, plus 32.",
            "Celsius to Fahrenheit, c * 9 / 5 + 32: convert {c}.",
        ),
        reference_action="python[{c} * 9 / 5 + 32]",
        answer_of=lambda c: quotient(9 * c + 160, 5),
    ),
    held_out(
        name="seconds",
        parameters={"h": Int((2, 5), (10, 90)), "m": Int((6, 30), (31, 59)), "s": Int((6, 30), (31, 59))},
        wordings=(
            "How many seconds are {h} hours, {m} minutes and {s} seconds?",
            "Convert {h} hours, {m} minutes and {s} seconds to seconds.",
        ),
        reference_action="python[{h} * 3600 + {m} * 60 + {s}]",
        answer_of=lambda h, m, s: str(((h * 60) + m) * 60 + s),
    ),
)
