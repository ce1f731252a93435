"""Quantities: numbers with what is measured or counted behind them. `5 km/h`, `$5`, `1 hour 30 minutes`, `72 clips`."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from agent0es.taskdomains.numbers import is_long_decimal, read_number, same_number, value_of

LONGEST = 120
"""Characters; no quantity is nearly as long."""
Dimension = tuple[tuple[str, int], ...]
"""What is measured, with its powers: speed is `(("length", 1), ("time", -1))`."""

SCALES: dict[str, dict[str, Fraction]] = {
    "length": {
        "mm millimeter millimetre": Fraction(1, 1000),
        "cm centimeter centimetre": Fraction(1, 100),
        "dm decimeter decimetre": Fraction(1, 10),
        "m meter metre": Fraction(1),
        "km kilometer kilometre": Fraction(1000),
        "in inch": Fraction(254, 10000),
        "ft foot feet": Fraction(3048, 10000),
        "yd yard": Fraction(9144, 10000),
        "mi mile": Fraction(1609344, 1000),
    },
    "length^2": {"ha hectare": Fraction(10**4)},
    "length^3": {
        "ml milliliter millilitre": Fraction(1, 10**6),
        "cl centiliter centilitre": Fraction(1, 10**5),
        "l liter litre": Fraction(1, 1000),
    },
    "mass": {
        "mg milligram": Fraction(1, 10**6),
        "g gram": Fraction(1, 1000),
        "kg kilogram kilo": Fraction(1),
        "t tonne": Fraction(1000),
        "lb pound": Fraction(45359237, 10**8),
        "oz ounce": Fraction(45359237, 16 * 10**8),
    },
    "time": {
        "ms millisecond": Fraction(1, 1000),
        "s sec second": Fraction(1),
        "min minute": Fraction(60),
        "h hr hour": Fraction(3600),
        "d day": Fraction(86400),
        "week": Fraction(7 * 86400),
    },
    "length/time": {"kmh kph": Fraction(1000, 3600), "mph": Fraction(1609344, 3600 * 1000)},
    "money": {"cent ¢": Fraction(1, 100), "dollar usd buck": Fraction(1)},
    "euro": {"euro eur": Fraction(1)},
    "sterling": {"pence": Fraction(1, 100), "gbp": Fraction(1)},
    "yen": {"yen jpy": Fraction(1)},
    "rupee": {"rupee inr": Fraction(1)},
    "angle": {"degree deg": Fraction(1)},
    "radians": {"radian rad": Fraction(1)},
    "celsius": {"c celsius": Fraction(1)},
    "fahrenheit": {"f fahrenheit": Fraction(1)},
}
CURRENCIES = frozenset({"money", "euro", "sterling", "yen", "rupee"})
CALENDAR = frozenset({"year", "month"})
"""Counted as things are, and no fixed number of days."""
SIGNS = {"$": "usd", "€": "eur", "£": "gbp", "¥": "jpy", "₹": "inr"}
MULTIPLES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
THINGS = frozenset(
    "pen ball book letter character vowel word digit number time apple pear egg child children people person student "
    "item unit square cubic way year month".split()
)
"""What is counted, beside whatever else is a plural."""
NO_THINGS = frozenset(
    "plus minus times less across is was has does this its thus yes always perhaps sometimes unless versus besides "
    "pairs couples scores tens twos threes fours fives sixes sevens eights nines percents powers roots radians grosses "
    "hundreds thousands millions billions trillions dozens bases modulus us alias as plusses minuses points "
    "lakhs crores grands halfs trios quartets logs inverses reciprocals negatives opposites factorials".split()
)
NOUN = re.compile(r"[a-z]{3,20}", re.IGNORECASE)
PART_OF_ONE = re.compile(r"(?!months|paths|moths).*(?:th|hal|halve|third|quarter|second)s", re.IGNORECASE)
FACTOR = re.compile(r"([a-z°¢]+)(?:\^?\(?(-?[1-4])\)?)?", re.IGNORECASE)
SQUARE = re.compile(r"\b(square|sq|cubic|cu)\.? ([a-z]+)", re.IGNORECASE)
PER = re.compile(r" ?(?:/| per ) ?")
PERCENT = frozenset({"%", "percent", "per cent", "pct"})
MONEY = re.compile(r"([+-]?)(?:US ?)?([$€£¥₹]) ?([+-]?[0-9][0-9.,]*(?:/[0-9]+)?)(?: ?([a-z]+))?", re.IGNORECASE)
MONEY_BEHIND = re.compile(r"(.*[0-9].*?) ?([$€£¥₹])")
CODE_BEFORE = re.compile(r"(usd|eur|gbp|jpy|inr) ?(-?[0-9].*)", re.IGNORECASE)
UNIT_BEGINS = re.compile(r"(?<=[0-9).]) ?(?=[A-Za-z°%¢])")
PART = re.compile(r"(?:, ?and |,? and |, ?| )?([0-9]+(?:\.[0-9]+)?(?:(?: [0-9]+)?/[0-9]+)?) ?([a-z¢]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, and what it is a number of."""

    value: Fraction
    number: str
    """As it was written; empty where several were added."""
    unit: str = ""
    """Empty for a number alone, `%`, or what stands behind it, in lower case."""
    dimension: Dimension | None = None
    """None where nothing is measured: for numbers, percentages and things."""
    size: Fraction = Fraction(1)
    """One such unit in the dimension's own units."""

    @property
    def written(self) -> bool:
        """Whether nothing is left to work out."""
        return not self.number or read_number(self.number) is not None


def read_quantity(text: str) -> Quantity | None:
    """The quantity that a text in plain notation says; None where it says anything else."""
    if len(text) > LONGEST:
        value = read_number(text)
        return None if value is None else Quantity(value, text)
    text = _named_currency(text)
    value = value_of(text)
    if value is not None:
        return Quantity(value, text)
    for begin in UNIT_BEGINS.finditer(text):
        number, rest = text[: begin.start()], text[begin.end() :]
        value = value_of(number)
        if value is None:
            continue
        multiple, _, behind = rest.partition(" ")
        if multiple.lower() in MULTIPLES:
            value *= MULTIPLES[multiple.lower()]
            number, rest = str(value), behind
            if not rest:
                return Quantity(value, number)
        unit = None if _is_letter(rest, spaced=bool(begin[0])) else _unit(rest)
        if unit is not None:
            return Quantity(value, number, *unit)
    return _added(text)


def same_quantity(given: Quantity, true: Quantity, asks_percent: bool = False) -> bool | None:
    """Whether two quantities are the same; None where a unit is missing, or which one is meant is open."""
    if "%" in (given.unit, true.unit):
        return _same_percentage(given, true, asks_percent)
    if true.dimension is not None and given.dimension is not None:
        if given.dimension != true.dimension:
            both = {name for one in (given, true) for name, _ in one.dimension or ()}
            cents = "cent" in given.unit + true.unit and both <= CURRENCIES
            if both == {"celsius", "fahrenheit"}:
                return _celsius(given) == _celsius(true)
            return None if cents or both == {"mass", "sterling"} else False  # pounds
        return _same_amount(given, true, given.size / true.size)
    if _of_time(given) and _of_time(true) and _singular(given.unit)[1] != _singular(true.unit)[1]:
        return None
    if true.dimension is not None:
        bare_money = not given.unit and true.size == 1 and true.dimension[0][0] in CURRENCIES
        equal = _same_amount(given, true, Fraction(1))
        return equal if bare_money else None if equal or _in_some_unit(true, given) else False
    if given.dimension is not None and not true.unit:
        if _same_amount(given, true, Fraction(1)) and given.number:
            return True
        return None if _in_some_unit(given, true) else False
    equal = _same_amount(given, true, Fraction(1))
    other_things = bool(true.unit and given.unit) and _singular(given.unit)[1] != _singular(true.unit)[1]
    return None if equal and (other_things or given.dimension is not None) else equal


def _celsius(degrees: Quantity) -> Fraction:
    fahrenheit = degrees.dimension == (("fahrenheit", 1),)
    return (degrees.value - 32) * 5 / 9 if fahrenheit else degrees.value


def _of_time(one: Quantity) -> bool:
    return one.dimension == (("time", 1),) or not CALENDAR.isdisjoint(_singular(one.unit))


def _same_percentage(given: Quantity, true: Quantity, asks_percent: bool) -> bool | None:
    if true.unit == given.unit or (true.unit == "" and asks_percent):
        return _same_amount(given, true, Fraction(1))
    if true.unit == "%" and given.unit == "":  # 0.25 for 25%; a plain 25 may be meant in percent or not
        return True if given.value == true.value / 100 else None if given.value == true.value else False
    if true.unit == "":
        return _same_amount(given, true, Fraction(1, 100))
    return False


def _same_amount(given: Quantity, true: Quantity, scale: Fraction) -> bool:
    """Whether the numbers are the same, where one of what is given is `scale` of what is true."""
    if same_number(given.value * scale, true.number, true.value):
        return True
    return given.number != "" and is_long_decimal(given.number, true.value / scale)


def _in_some_unit(quantity: Quantity, number: Quantity) -> bool:
    """Whether there is a unit in which the quantity has that number: 2900 cents are 29 in dollars."""
    sizes = {size for dimension, size in UNITS.values() if dimension == quantity.dimension}
    return any(quantity.value * quantity.size == number.value * size for size in sizes)


def _named_currency(text: str) -> str:
    """`$5` as `5 usd`, `-€5` as `-5 eur`, `$2 million` as `2 million usd`; `$5 dollars` says it twice."""
    before = MONEY.fullmatch(text)
    if before:
        sign, mark, number, word = before.groups()
        if word is None or word.lower() in MULTIPLES:
            return f"{sign}{number}{' ' + word if word else ''} {SIGNS[mark]}"
        named = UNITS.get(_known(word))
        return f"{sign}{number} {SIGNS[mark]}" if named == UNITS[SIGNS[mark]] else text
    behind = MONEY_BEHIND.fullmatch(text)
    if behind:
        return f"{behind[1]} {SIGNS[behind[2]]}"
    coded = CODE_BEFORE.fullmatch(text)
    return f"{coded[2]} {coded[1].lower()}" if coded else text


def _added(text: str) -> Quantity | None:
    """`1 hour 30 minutes`: parts of one kind, each unit smaller than the one before."""
    sign, text = ("-", text[1:].strip()) if text.startswith("-") else ("", text)
    text = re.sub("([$€£])([0-9.]+)", lambda found: f"{found[2]} {SIGNS[found[1]]}", text)
    total, sizes, names, dimensions, end = Fraction(0), [], [], set(), 0
    while end < len(text):
        part = PART.match(text, end)
        name = _known(part[2]) if part else ""
        value = read_number(part[1]) if part else None
        if part is None or value is None or name not in UNITS:
            return None
        dimension, size = UNITS[name]
        total += value * size
        sizes.append(size)
        names.append(name)
        dimensions.add(dimension)
        end = part.end()
    if len(sizes) < 2 or len(dimensions) > 1 or sizes != sorted(set(sizes), reverse=True):
        return None
    return Quantity(-total if sign else total, "", " ".join(names), dimensions.pop())


def _unit(text: str) -> tuple[str, Dimension | None, Fraction] | None:
    """(the unit or the thing, what is measured, its size) of what stands behind a number; None for neither."""
    lower = " ".join(text.lower().split())
    if lower in PERCENT:
        return "%", None, Fraction(1)
    measured = _measured(text)
    if measured is not None:
        return lower, *measured
    if re.fullmatch(r"(?:(?:square|cubic) )?units?(?:\^[23])?", lower):
        return "unit", None, Fraction(1)
    if not NOUN.fullmatch(lower) or lower in NO_THINGS or PART_OF_ONE.fullmatch(lower):
        return None
    plural = lower.endswith("s") and not lower.endswith("ss")
    return (lower, None, Fraction(1)) if plural or not THINGS.isdisjoint(_singular(lower)) else None


def _measured(text: str) -> tuple[Dimension, Fraction] | None:
    """(dimension, size) of a unit: `km/h`, `square meters`, `m/s^2`, `miles per hour`."""
    text = SQUARE.sub(lambda found: f"{found[2]}^{'2' if found[1].lower().startswith('s') else '3'}", text)
    text = re.sub(r"degrees? ?([CF])\b", r"\1", text).replace("**", "^")
    parts = PER.split(text)
    powers: Counter[str] = Counter()
    size = Fraction(1)
    if len(parts) > 2:
        return None
    for sign, part in zip((1, -1), parts, strict=False):
        for factor in re.split(r" ?\* ?", part):
            found = FACTOR.fullmatch(factor)
            name = _known(found[1]) if found else ""
            if found is None or name not in UNITS:
                return None
            power = sign * int(found[2] or 1)
            dimension, own = UNITS[name]
            size *= own**power
            powers.update({base: count * power for base, count in dimension})
    return tuple(sorted((base, count) for base, count in powers.items() if count)), size


def _known(word: str) -> str:
    """The word as `UNITS` has it. Of short ones the case counts: 5 M is not five meters."""
    if len(word) <= 2 and word not in ("L", "C", "F", "mL", "cL"):
        return word if word in UNITS else word.removesuffix("s")
    return next((name for name in _singular(word.lower()) if name in UNITS), word)


def _is_letter(text: str, spaced: bool) -> bool:
    """Whether this is an unknown rather than a unit: 2t is twice t."""
    return len(text) == 1 and not spaced and text not in "mCF%¢"


def _singular(word: str) -> list[str]:
    return [word, word.removesuffix("s"), word.removesuffix("es"), {"feet": "foot", "inches": "inch"}.get(word, word)]


def _powers(dimension: str) -> Dimension:
    """`length/time` as what `_measured` makes."""
    top, _, bottom = dimension.partition("/")
    name, _, power = top.partition("^")
    return tuple(sorted([(name, int(power or 1)), *([(bottom, -1)] if bottom else [])]))


def _units() -> Iterator[tuple[str, tuple[Dimension, Fraction]]]:
    for dimension, scale in SCALES.items():
        for words, size in scale.items():
            for word in words.split():
                yield word, (_powers(dimension), size)


UNITS = dict(_units())
