"""What the commands share that ask the tables."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent0es.log import EventLog
    from agent0es.projections import Answer, Projections


@contextmanager
def open_tables(store: Path) -> "Iterator[tuple[EventLog, Projections]]":
    """The store's log, and tables that hold all of it."""
    from agent0es.bootstrap import open_store
    from agent0es.projections import PROJECTIONS_FILE, Projections

    with open_store(store) as log, Projections.open(log, store / PROJECTIONS_FILE) as tables:
        tables.catch_up()
        yield log, tables


def objects(answer: "Answer") -> Iterator[dict[str, Any]]:
    """Rows as objects: JSON columns as what they hold, and of columns with one name each under a name of its own."""
    names = unique(answer.columns)
    for row in answer.rows:
        yield {name: _parsed(value, kind) for name, value, kind in zip(names, row, answer.types, strict=True)}


def unique(columns: list[str]) -> list[str]:
    """The names, those that were there before with a count."""
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
        return json.loads(value)
    if kind == "JSON[]":
        return [None if part is None else json.loads(part) for part in value]
    return value
