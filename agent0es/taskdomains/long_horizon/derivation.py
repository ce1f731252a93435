"""What follows from a file: the rules between stages, as data.

A derivation is a chain of words. The first reads the file, the others continue with a number:

    number       the number in the file         times:3, plus:4, minus:5, remainder:7
    sum          of the numbers, one a line
    largest, smallest, count, over:40           of the numbers, one a line; over counts those above
    line:1, line:-1                             the first line, the last line
    column_sum:1                                of a table's second column
    values_sum                                  of a JSON object's values
    lookup:stock.json                           the value in that JSON object of the name in the file
    occurrences:cat                             how often a word stands in the text
"""

from collections.abc import Mapping
from fractions import Fraction

from agent0es.taskdomains.long_horizon import reading


def derive(text: str, derivation: tuple[str, ...], files: Mapping[str, str]) -> str | None:
    """What the chain makes of a file's text; None where the text is not of that kind. `files` is the working directory
    at the start. Raises ValueError for an unknown chain."""
    if not derivation or len(text) > reading.LONGEST:
        return None
    first, *others = derivation
    value = _read(text, first, files)
    for word in others:
        value = None if not isinstance(value, Fraction) else _calculate(value, word)
    return shown(value) if isinstance(value, Fraction) else value


def shown(value: Fraction) -> str:
    """A number as Python prints it."""
    return str(value.numerator) if value.denominator == 1 else str(float(value))


def _read(text: str, word: str, files: Mapping[str, str]) -> Fraction | str | None:
    name, _, argument = word.partition(":")
    match name:
        case "number":
            return reading.number(text)
        case "line":
            return _line(reading.lines(text), int(argument))
        case "column_sum":
            cells = [row[int(argument)] if int(argument) < len(row) else "" for row in reading.rows(text) or []]
            return _sum([reading.number(cell) for cell in cells])
        case "values_sum":
            values = reading.read_json(text)
            return _sum([_json_number(v) for v in values.values()]) if isinstance(values, dict) else None
        case "lookup":
            known = reading.read_json(files.get(argument, ""))
            return _json_number(known.get(text.strip())) if isinstance(known, dict) else None
        case "occurrences":
            return Fraction(text.count(argument))
        case "count":
            return Fraction(len(reading.lines(text)))
        case "sum" | "largest" | "smallest" | "over":
            return _of_numbers([reading.number(line) for line in reading.lines(text)], name, argument)
    raise ValueError(f"no derivation begins with {word!r}")


def _of_numbers(found: list[Fraction | None], name: str, argument: str) -> Fraction | None:
    numbers = [number for number in found if number is not None]
    if len(numbers) < len(found):
        return None
    if name == "over":
        return Fraction(sum(number > int(argument) for number in numbers))
    if name == "sum":
        return _sum(found)
    return None if not numbers else max(numbers) if name == "largest" else min(numbers)


def _calculate(value: Fraction, word: str) -> Fraction:
    name, _, argument = word.partition(":")
    k = int(argument)
    match name:
        case "times":
            return value * k
        case "plus":
            return value + k
        case "minus":
            return value - k
        case "remainder":
            return value % k
    raise ValueError(f"no derivation goes on with {word!r}")


def _sum(found: list[Fraction | None]) -> Fraction | None:
    return None if None in found else sum((number for number in found if number is not None), Fraction(0))


def _json_number(value: object) -> Fraction | None:
    """A number of a JSON text, unless it is endless."""
    return reading.number(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _line(found: list[str], index: int) -> str | None:
    return found[index] if -len(found) <= index < len(found) else None
