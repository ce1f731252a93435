"""The shapes of what REST answers. Rows of tables have the columns, and the words for them, that SQL has."""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, create_model

from agent0es.service.context import Service, asked

if TYPE_CHECKING:
    from agent0es.projections.catalogue import Described

ServiceOf = Annotated[Service, Depends(asked)]
Run = Annotated[str, Path(description="A run's name, the beginning of it, or `latest`.", examples=["latest"])]
LARGEST = 2**53 - 1
"""The largest whole number that every reader of JSON reads."""
Position = Annotated[int, Field(ge=0, le=LARGEST)]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most rows of the answer.")]

KINDS: Mapping[str, Any] = {
    "VARCHAR": str,
    "BOOLEAN": bool,
    "DOUBLE": float,
    "TIMESTAMP": datetime,
    **dict.fromkeys(("INTEGER", "BIGINT", "UBIGINT", "HUGEINT"), int),
}
"""DuckDB's types to Python's; what is not here is any JSON."""


class Open(BaseModel):
    """Has more than is said here: what the command line prints with --json."""

    model_config = ConfigDict(extra="allow")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="A URN that names the kind, e.g. `urn:agent0es:problem:run-not-found`.")
    title: str = Field(description="The kind in words.")
    status: int
    detail: str = Field(description="What happened, where, and what to do, in one line.")
    instance: str = Field(description="The path that was asked.")
    errors: list[dict[str, Any]] | None = Field(None, description="Where the request is wrong, and what is.")


@cache
def described() -> "Mapping[str, Described]":
    """Every table by its name, with its columns and their meanings."""
    from agent0es.projections.catalogue import catalogue

    return {table.name: table for table in catalogue()}


@cache
def row_of(table: str, name: str) -> type[BaseModel]:
    """The shape of a row of a table, under this name. More may be in it."""
    its = described()[table]
    fields: dict[str, Any] = {}
    for column in its.columns:
        element = KINDS.get(column.type.removesuffix("[]"), Any)
        kind = list[element] if column.type.endswith("[]") else element  # type: ignore[valid-type]
        fields[column.name] = (kind | None, Field(None, description=column.meaning))
    return create_model(name, __base__=Open, __doc__=its.meaning, **fields)


def rows_of(table: str, name: str) -> Any:
    """The type of a list of such rows."""
    return list[row_of(table, name)]  # type: ignore[misc]


def plain(value: Any) -> Any:
    """The value as JSON has it: times with their zone, UTC where there is none; what is no number as null."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return plain(float(value))
        case Mapping():
            return {str(name): plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case datetime():
            return value.replace(tzinfo=UTC).isoformat() if value.tzinfo is None else value.isoformat()
        case date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return value.hex()
        case _:
            return str(value)
