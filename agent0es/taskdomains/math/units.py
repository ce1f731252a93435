"""Numbers as they are written, and the units behind them."""

import re
from fractions import Fraction

TOLERANCE = Fraction(1, 10**6)
"""Relative, and only where the true answer is a decimal that is not whole."""

NUMBER = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?(?:e[+-]?[0-9]{1,2})?", re.IGNORECASE)
LEADING_POINT = re.compile(r"([+-]?)(\.[0-9]+)")
RATIO = re.compile(r"([+-]?[0-9]+) ?/ ?([0-9]+)")
GROUP = re.compile(r"([+-]?) ?\(([^()]*)\)")
MIXED = re.compile(r"([+-]?)([0-9]+)(?: |-| and )([0-9]+)/([0-9]+)")
SCIENTIFIC = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?) ?\*? ?[*x] ?10 ?(?:\^|\*\*) ?\(?([+-]?[0-9]{1,2})\)?")
REPEATING = re.compile(r"([+-]?[0-9]{1,20})\.([0-9]{0,20})\(([0-9]{1,20})\)")
SPACED = re.compile(r"[+-]?[0-9]{1,3}(?: [0-9]{3})+(?:\.[0-9]+)?")

SCALES: dict[str, dict[str, Fraction]] = {
    "length": {
        "mm millimeter millimetre": Fraction(1, 1000),
        "cm centimeter centimetre": Fraction(1, 100),
        "dm decimeter decimetre": Fraction(1, 10),
        "m meter metre": Fraction(1),
        "km kilometer kilometre": Fraction(1000),
        "inch inches": Fraction(254, 10000),
        "ft foot feet": Fraction(3048, 10000),
        "yd yard": Fraction(9144, 10000),
        "mi mile": Fraction(1609344, 1000),
    },
    "area": {
        "mm^2": Fraction(1, 10**6),
        "cm^2": Fraction(1, 10**4),
        "m^2": Fraction(1),
        "ha hectare": Fraction(10**4),
        "km^2": Fraction(10**6),
        "ft^2": Fraction(3048, 10000) ** 2,
    },
    "volume": {
        "mm^3": Fraction(1, 10**9),
        "ml milliliter millilitre cm^3": Fraction(1, 10**6),
        "cl centiliter centilitre": Fraction(1, 10**5),
        "l liter litre dm^3": Fraction(1, 1000),
        "m^3": Fraction(1),
    },
    "mass": {
        "mg milligram": Fraction(1, 10**6),
        "g gram": Fraction(1, 1000),
        "kg kilogram": Fraction(1),
        "t ton tonne": Fraction(1000),
        "lb pound": Fraction(45359237, 10**8),
    },
    "time": {
        "ms millisecond": Fraction(1, 1000),
        "s sec second": Fraction(1),
        "min minute": Fraction(60),
        "h hr hour": Fraction(3600),
        "d day": Fraction(86400),
        "week": Fraction(7 * 86400),
    },
    "speed": {"m/s": Fraction(1), "km/h kmh": Fraction(1000, 3600), "mph": Fraction(1609344, 3600 * 1000)},
    "money": {"cent": Fraction(1, 100), "dollar usd": Fraction(1)},
    "euro": {"euro eur": Fraction(1)},
    "angle": {"degree deg": Fraction(1)},
    "temperature C": {"c °c celsius": Fraction(1)},
    "temperature F": {"f °f fahrenheit": Fraction(1)},
}
UNITS: dict[str, tuple[str, Fraction]] = {
    word: (dimension, size)
    for dimension, scale in SCALES.items()
    for words, size in scale.items()
    for word in words.split()
}
THINGS = frozenset(
    "pen ball book letter character vowel word digit number time apple pear egg child people person student item unit "
    "square cubic way year month".split()
)
"""What is counted: says nothing about the number."""
WITH_UNIT = re.compile(r"(.*[0-9)]) ?((?:[A-Za-z°][A-Za-z°]*)(?:(?:\^|\*\*)?[23])?(?:/[a-z]+)?)")
SQUARE = re.compile(r"(square|sq|cubic|cu)\.? ([a-z]+)", re.IGNORECASE)


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
        return Fraction(text.replace(",", ""))
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


def same_number(value: Fraction, true: str, number: Fraction) -> bool:
    """Equal; or near enough, where the true answer is printed as a decimal and is not whole."""
    if "/" in true or number.denominator == 1:
        return value == number
    return abs(value - number) <= TOLERANCE * abs(number)


def split_unit(text: str) -> tuple[str, str | None]:
    """(what stands before, the unit as `UNITS` has it or `thing`); the text and None where no known unit is behind."""
    text = SQUARE.sub(lambda found: f"{found[2]}^{'2' if found[1].lower().startswith('s') else '3'}", text)
    if text.endswith("%"):
        return text[:-1].strip(), "%"
    found = WITH_UNIT.fullmatch(text)
    if not found:
        return text, None
    word = found[2].replace("**", "^")
    if len(word) == 1 and word not in "mCF" and found[0][-2] != " ":
        return text, None  # 2t is twice t
    power = re.fullmatch(r"([A-Za-z]+)\^?([23])", word)
    if power:
        short = next((name for name in _singular(power[1].lower()) if name in UNITS), "")
        names = [f"{_short_name(short)}^{power[2]}"]
    else:
        names = _singular(word.lower())
    for name in names:
        if name in UNITS:
            return found[1].strip(), name
        if name in THINGS:
            return found[1].strip(), "thing"
    return text, None


def same_quantity(given: str, true: str, asks_percent: bool = False) -> bool | None:
    """Whether two numbers with their units are the same; None where one is no number, or a unit is missing."""
    (number, unit), (wanted, true_unit) = split_unit(given), split_unit(true)
    value, goal = read_number(number), read_number(wanted)
    if goal is None or value is None:
        return None
    if true_unit == "%" or unit == "%":
        if true_unit == unit or (true_unit is None and asks_percent):
            return same_number(value, wanted, goal)
        if true_unit == "%" and unit is None:  # 0.25 for 25%; a plain 25 may be meant in percent or not
            return True if value == goal / 100 else None if value == goal else False
        if true_unit is None:
            return same_number(value / 100, wanted, goal)
        return False
    if true_unit in (None, "thing"):
        return same_number(value, wanted, goal)
    if unit in (None, "thing"):
        return None if same_number(value, wanted, goal) else False
    dimension, size = UNITS[true_unit]
    other, own = UNITS[unit]
    return other == dimension and same_number(value * own / size, wanted, goal)


def _singular(word: str) -> list[str]:
    return [word, word.removesuffix("s"), word.removesuffix("es")]


def _short_name(name: str) -> str:
    """`m` for `meter`: areas and volumes are listed by the short names."""
    return next((words.split()[0] for scale in SCALES.values() for words in scale if name in words.split()), name)
