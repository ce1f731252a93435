"""Times and intervals as Python values, exactly: what Python can't hold stays the text that DuckDB writes.

DuckDB's own conversion makes 31 December 9999 of infinity, 30 days of a month, and an error of a time before Christ.
So columns with times are asked for as texts, and read here.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

Reader = Callable[[Any], Any]
"""Makes a value of what came for the column."""

NESTED = ("struct", "list", "array", "map", "union")

INTERVAL = re.compile(r"(?:(-?\d+) days?)? ?(?:(-)?(\d+):(\d\d):(\d\d)(?:\.(\d+))?)?")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?(\+00)?")
DAY = re.compile(r"\d{4}-\d\d-\d\d")


def as_text(sql: str, kinds: "Sequence[DuckDBPyType]") -> str | None:
    """The query with texts in place of times and intervals, however deep; None when it has none."""
    if not any(map(_has_times, kinds)):
        return None
    columns = [
        f"CAST(#{place} AS {_textual(kind)})" if _has_times(kind) else f"#{place}"
        for place, kind in enumerate(kinds, 1)
    ]
    return f"SELECT {', '.join(columns)} FROM ({_without_end(sql)}\n)"  # noqa: S608 (the query was let pass alone)


def reader(kind: "DuckDBPyType") -> Reader | None:
    """How values of this type are read back from what `as_text` asks for; None when they are what they should be."""
    if not _has_times(kind):
        return None
    read = _reader(kind)
    return lambda value: None if value is None else read(value)


def _without_end(sql: str) -> str:
    """The statement without the semicolons at its end and the comments after them."""
    import duckdb

    text = sql.encode()
    end = len(text)
    for place, kind in reversed(duckdb.tokenize(sql)):
        if kind is not duckdb.token_type.comment:
            if text[place : place + 1] != b";":
                break
            end = place
    return text[:end].decode()


def _reader(kind: "DuckDBPyType") -> Reader:
    match kind.id:
        case "date":
            return _date
        case name if name.startswith("timestamp"):
            return _timestamp
        case "interval":
            return _interval
        case "list" | "array":
            inner = reader(_children(kind)["child"])
            return list if inner is None else lambda values: [inner(value) for value in values]
        case "struct":
            fields = {name: reader(child) for name, child in _children(kind).items()}
            return lambda value: {name: read(value[name]) if read else value[name] for name, read in fields.items()}
        case "map" if _children(kind)["key"].id not in NESTED:  # else DuckDB gives lists of keys and of values
            return _map_reader(*(reader(child) for child in _children(kind).values()))
        case _:  # a time of day; a union, of which nobody says which member it is
            return lambda value: value


def _map_reader(key: Reader | None, value: Reader | None) -> Reader:
    def read(found: dict[Any, Any]) -> dict[Any, Any]:
        return {key(k) if key else k: value(v) if value else v for k, v in found.items()}

    return read


def _has_times(kind: "DuckDBPyType") -> bool:
    if kind.id in NESTED:
        return any(_has_times(child) for child in _children(kind).values())
    return kind.id.startswith(("date", "time", "interval"))


def _textual(kind: "DuckDBPyType") -> str:
    """The type in SQL, with VARCHAR in place of times."""
    if kind.id not in NESTED:
        return "VARCHAR" if _has_times(kind) else str(kind)
    children = {name: _textual(child) for name, child in _children(kind).items()}
    match kind.id:
        case "list":
            return f"{children['child']}[]"
        case "array":
            return f"{children['child']}[{dict(kind.children)['size']}]"
        case "map":
            return f"MAP({', '.join(children.values())})"
        case _:
            quoted = (f'"{name.replace(chr(34), chr(34) * 2)}" {child}' for name, child in children.items())
            return f"{kind.id.upper()}({', '.join(quoted)})"


def _children(kind: "DuckDBPyType") -> "dict[str, DuckDBPyType]":
    """The types inside, without an array's size and a union's tag."""
    children: list[tuple[str, Any]] = kind.children
    return {name: child for name, child in children if name and (kind.id, name) != ("array", "size")}


def _date(text: str) -> date | str:
    return date.fromisoformat(text) if DAY.fullmatch(text) else text


def _timestamp(text: str) -> datetime | str:
    """A time; as ISO 8601 text where it has nanoseconds; as it is where Python has no such year."""
    found = TIMESTAMP.fullmatch(text)
    if found is None:
        return text
    if found[1] and len(found[1]) > len(".123456"):
        return text.replace(" ", "T").removesuffix("+00") + "Z"
    return datetime.fromisoformat(text)


def _interval(text: str) -> timedelta | str:
    """Days and times of day. Months and years, which have no fixed length, stay text."""
    found = INTERVAL.fullmatch(text)
    if found is None:
        return text
    days, minus, hours, minutes, seconds, fraction = found.groups()
    micros = int((fraction or "").ljust(6, "0"))
    try:
        time = timedelta(
            hours=int(hours or 0), minutes=int(minutes or 0), seconds=int(seconds or 0), microseconds=micros
        )
        return timedelta(days=int(days or 0)) + (-time if minus else time)
    except OverflowError:
        return text
