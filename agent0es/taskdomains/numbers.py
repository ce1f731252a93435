"""Numbers as they are written, exact: `1,234`, `0.75`, `3/4`, `1 1/2`, `3 * 10^5`, `0.(3)`."""

import re
from fractions import Fraction

from agent0es.taskdomains.arithmetic import worked_out

TOLERANCE = Fraction(1, 10**6)
"""Of what agrees with a true answer that was rounded when it was printed: relative to it where it is below one."""
ROUNDED_DIGITS = 12
"""Significant digits of a true decimal that can only come from rounding; one of fewer may be exact: 1234567.89."""
FLOAT_NOISE = Fraction(1, 10**14)
"""Relative: of what agrees with a true answer that is printed with few digits: 0.30000000000000004 is 0.3."""
MANY_DIGITS = 8
"""Significant digits that make a decimal more than an estimate: 3.1415927 for pi, 0.33333333 for 1/3."""
FLOAT_DIGITS, FLOAT_ERROR = range(15, 18), Fraction(1, 10**15)
"""A decimal of so many digits comes from a computer, which is right up to this, relative, where it is not whole."""

NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?:_[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?(?:e[+-]?[0-9]{1,3})?",
    re.IGNORECASE,
)
LEADING_POINT = re.compile(r"([+-]?)(\.[0-9]+)")
RATIO = re.compile(r"([+-]?[0-9]+) ?/ ?(-?[0-9]+)")
GROUP = re.compile(r"([+-]?) ?\(([^()]*)\)")
MIXED = re.compile(r"([+-]?)([0-9]+)(?: | and )([0-9]+)/([0-9]+)")
SCIENTIFIC = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?) ?\*? ?[*x] ?10 ?(?:\^|\*\*) ?\(?([+-]?[0-9]{1,3})\)?")
REPEATING = re.compile(r"([+-]?[0-9]{1,20})\.([0-9]{0,20})\(([0-9]{1,20})\)")
SPACED = re.compile(r"[+-]?[0-9]{1,3}(?: [0-9]{3})+(?:\.[0-9]+)?")
DECIMAL = re.compile(r"[+-]?([0-9]*)\.([0-9]+)")


def read_number(text: str) -> Fraction | None:
    """The exact value of an integer, decimal, ratio or mixed number: `1,234`, `0.75`, `3/4`, `1 1/2`, `3 * 10^5`; None
    for anything else."""
    group = GROUP.fullmatch(text)
    if group:
        inner = read_number(group[2])
        return inner if inner is None or group[1] != "-" else -inner
    ratio = RATIO.fullmatch(text)
    if ratio:
        return Fraction(int(ratio[1]), int(ratio[2])) if int(ratio[2]) else None
    if NUMBER.fullmatch(text):
        return Fraction(re.sub("[,_]", "", text))
    repeating = REPEATING.fullmatch(text)
    if repeating:
        whole, fixed, period = repeating.groups()
        tail = Fraction(int(fixed + period) - int(fixed or 0), 10 ** len(fixed) * (10 ** len(period) - 1))
        return int(whole) - tail if whole.startswith("-") else int(whole) + tail
    mixed = MIXED.fullmatch(text)
    if mixed and 0 < int(mixed[3]) < int(mixed[4]):
        value = int(mixed[2]) + Fraction(int(mixed[3]), int(mixed[4]))
        return -value if mixed[1] == "-" else value
    scientific = SCIENTIFIC.fullmatch(text)
    if scientific:
        return Fraction(scientific[1]) * Fraction(10) ** int(scientific[2])
    point = LEADING_POINT.fullmatch(text)
    if point:
        return Fraction(f"{point[1]}0{point[2]}")
    return Fraction(text.replace(" ", "")) if SPACED.fullmatch(text) else None


def value_of(text: str) -> Fraction | None:
    """The value of a number, or of one that only has to be worked out."""
    number = read_number(text)
    return worked_out(text) if number is None else number


def same_number(value: Fraction, true: str, goal: Fraction) -> bool:
    """Whether a value is the true number; near enough to it, where that is printed as a decimal and is not whole."""
    if "/" in true or goal.denominator == 1 or value == goal:
        return value == goal
    decimal, digits = DECIMAL.fullmatch(true), _digits(true)
    if decimal is None or digits < MANY_DIGITS:
        return abs(value - goal) <= FLOAT_NOISE * abs(goal)
    if digits < ROUNDED_DIGITS:  # it stands for what rounds to it, as 0.33333333 for 1/3
        half_a_step = Fraction(1, 2) / Fraction(10) ** len(decimal[2])
        return abs(value - goal) < half_a_step and not _is_short(value)
    return abs(value - goal) <= TOLERANCE * min(Fraction(1), abs(goal))


def is_long_decimal(text: str, goal: Fraction) -> bool:
    """Whether a decimal of at least `MANY_DIGITS` digits is the goal, rounded or cut off, or a float of it."""
    decimal = DECIMAL.fullmatch(text)
    if decimal is None or _digits(text) < MANY_DIGITS or _is_short(goal):
        return False
    value, step = (
        Fraction(text),
        Fraction(1, 10 ** len(decimal[2])),
    )
    error = abs(value - goal)
    if goal.denominator > 1 and _digits(text) in FLOAT_DIGITS and error <= FLOAT_ERROR * abs(goal):
        return True
    return error <= step / 2 or (error < step and abs(value) < abs(goal))


def _is_short(value: Fraction) -> bool:
    """Whether a number that is not whole can be written as a decimal that nobody needs to round: 123456789/100."""
    scaled = value * 10**ROUNDED_DIGITS
    digits = str(abs(scaled.numerator)).rstrip("0")
    return value.denominator > 1 and scaled.denominator == 1 and len(digits) < ROUNDED_DIGITS


def _digits(text: str) -> int:
    """How many significant digits a decimal has."""
    decimal = DECIMAL.fullmatch(text)
    return len((decimal[1] + decimal[2]).lstrip("0")) if decimal else 0
