"""Answers of the tables in other forms: as JSON objects, and as a parquet file."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import IO, Any

from agent0es.errors import QueryError
from agent0es.projections.queries import Answer
from agent0es.projections.tables import Projections

SURELY_EXACT = 4000
"""Digits of a whole number that Python reads by default."""


def objects(answer: Answer) -> Iterator[dict[str, Any]]:
    """Rows as objects: JSON columns parsed, and columns of the same name made distinct."""
    names = unique(answer.columns)
    for row in answer.rows:
        yield {name: _parsed(value, kind) for name, value, kind in zip(names, row, answer.types, strict=True)}


def write_parquet(tables: Projections, query: str, file: IO[bytes], seconds: float | None = None) -> None:
    """Write the rows of a query, as Arrow and so with their types. Raises QueryError."""
    import pyarrow
    from pyarrow import parquet

    try:
        batches = tables.arrow(query, seconds=seconds)
        names = unique(batches.schema.names)
        schema = pyarrow.schema([field.with_name(n) for field, n in zip(batches.schema, names, strict=True)])
        with parquet.ParquetWriter(file, schema) as writer:
            for batch in batches:
                writer.write_batch(pyarrow.RecordBatch.from_arrays(batch.columns, schema=schema))
    except pyarrow.ArrowException as error:
        raise QueryError(f"parquet can't hold this: {' '.join(str(error).split())}; CAST it") from error


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
