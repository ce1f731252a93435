"""What commands that query the tables share."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent0es.errors import QueryError

if TYPE_CHECKING:
    from agent0es.log import EventLog
    from agent0es.projections import Answer, Projections

SURELY_EXACT = 4000
"""Digits of a whole number that Python reads by default."""


@contextmanager
def open_tables(store: Path) -> "Iterator[tuple[EventLog, Projections]]":
    """The store's log, and tables that hold all of it."""
    from agent0es.bootstrap import open_store
    from agent0es.projections import PROJECTIONS_FILE, Projections

    with open_store(store) as log, Projections.open(log, store / PROJECTIONS_FILE) as tables:
        tables.catch_up()
        yield log, tables


def objects(answer: "Answer") -> Iterator[dict[str, Any]]:
    """Rows as objects: JSON columns parsed, and columns of the same name made distinct."""
    names = unique(answer.columns)
    for row in answer.rows:
        yield {name: _parsed(value, kind) for name, value, kind in zip(names, row, answer.types, strict=True)}


def unique(columns: list[str]) -> list[str]:
    """The names, repeated ones with a count."""
    names: list[str] = []
    for column in columns:
        count = 1
        name = column
        while name in names:
            count += 1
            name = f"{column}_{count}"
        names.append(name)
    return names


def _parsed(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "JSON":
        return _exact_json(value)
    if kind == "JSON[]":
        return [None if part is None else _exact_json(part) for part in value]
    return value


def _exact_json(text: str) -> Any:
    """JSON as Python values, numbers with all their digits. Raises QueryError when it is nested too deeply."""
    try:
        return json.loads(text, parse_float=_exact_number, parse_int=_exact_number)
    except RecursionError:
        raise QueryError("a JSON value is nested too deeply to be shown as JSON; CAST it AS VARCHAR") from None


def _exact_number(text: str) -> int | float | Decimal:
    """The number as Python has it, or as a Decimal where that would lose digits."""
    if len(text) < SURELY_EXACT and text.lstrip("-").isdigit():
        return int(text)
    number = float(text)
    return number if repr(number) == text else Decimal(text)
