"""Files and answers as values: bounded, pure, and never run. All texts here are hostile."""

import csv
import json
import re
from fractions import Fraction
from typing import Any

from agent0es.taskdomains.long_horizon.reference import Format
from agent0es.taskdomains.numbers import TOLERANCE

LONGEST = 200_000
"""Characters of a file that is read."""
MOST_LINES = 10_000
LONGEST_ANSWER = 4000
NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}|[0-9]{1,3}(?:,[0-9]{3}){1,12})(?:\.[0-9]{0,40})?")


def number(text: str) -> Fraction | None:
    """The exact value of a decimal numeral, `1,234.5`; None for anything else."""
    text = text.strip()
    return Fraction(text.replace(",", "")) if NUMBER.fullmatch(text) else None


def lines(text: str) -> list[str]:
    """The lines without spaces at their ends and without blank lines at the end of the text."""
    found = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n", MOST_LINES)]
    while found and not found[-1]:
        found.pop()
    return found


def same(given: str, expected: str, form: Format) -> bool:
    """Whether two texts say the same in this format. Never raises."""
    if len(given) > LONGEST:
        return False
    match form:
        case "text":
            return given.strip() == expected.strip()
        case "number":
            return _same_number(given, expected)
        case "numbers":
            one, other = lines(given), lines(expected)
            return len(one) == len(other) and all(map(_same_number, one, other))
        case "lines":
            return lines(given) == lines(expected)
        case "csv":
            table = rows(given)
            return table is not None and table == rows(expected)
        case "json":
            value = plain_json(given)
            return value is not None and value == plain_json(expected)


def rows(text: str) -> list[list[str]] | None:
    """A table as rows of cells without spaces around; None where it is not a table."""
    try:
        return [[cell.strip() for cell in row] for row in csv.reader(lines(text), skipinitialspace=True)]
    except csv.Error:
        return None


def read_json(text: str) -> Any:
    """The value; None for `null`, and where it is not JSON."""
    try:
        return json.loads(text) if len(text) <= LONGEST else None
    except (ValueError, RecursionError):
        return None


def plain_json(text: str) -> str | None:
    """A JSON text with sorted keys and whole numbers without a point; None where it is not JSON."""
    value = read_json(text)
    try:
        return None if value is None else json.dumps(_whole(value), sort_keys=True)
    except (ValueError, RecursionError, TypeError):
        return None


WRAPPED = re.compile(r"\*\*([^*]+)\*\*|\\(?:boxed|text)\{([^{}]+(?:\{[^{}]+\})?)\}")


def clean(answer: str) -> str:
    """The answer without what says nothing: spaces, bold, a box, backticks or quotes around it, `$`, a full stop."""
    text = re.sub("[\u2010-\u2015\u2212]", "-", answer).strip().removesuffix(".").strip().strip("`$").strip()
    for _ in range(3):
        wrapped = WRAPPED.fullmatch(text)
        text = (wrapped[1] or wrapped[2]).strip().strip("`$") if wrapped is not None else text
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def same_answer(given: str | None, expected: str) -> bool:
    """Whether an answer says what is expected: as a number where that is one, else to the letter."""
    if given is None or len(given) > LONGEST_ANSWER:
        return False
    text = clean(given)
    return text == expected or given.strip() == expected or _same_number(text, expected)


def _same_number(given: str, expected: str) -> bool:
    one, other = number(given), number(expected)
    if one is None or other is None:
        return False
    return one == other if other.denominator == 1 else abs(one - other) <= TOLERANCE * abs(other)  # of decimals only


def _whole(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {key: _whole(item) for key, item in value.items()}
        case list():
            return [_whole(item) for item in value]
    return value
