"""What commands share: the options that all of them take, and how rows and texts are printed.

Texts of models are hostile: a terminal obeys what is written to it. So no character that is not printable reaches the
output: tables show it as an escape (`\\x1b`), JSON as `\\u001b`, which reads back as the same string. Nothing is left
out, because what a text tried to hide is worth seeing.
"""

import json
import math
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from agent0es.cli.hints import remember_store

NUMBER = (int, float, Decimal)

store_option = click.option(
    "--store",
    type=click.Path(path_type=Path),
    default=Path("store"),
    envvar="AGENT0ES_STORE",
    show_default=True,
    callback=remember_store,
    help="Folder of the runs.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")


def printable(text: str) -> str:
    """The text on one line, with an escape in place of each character that is not printable."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def json_line(value: Any) -> str:
    """The value as JSON on one line, without a character that is not printable."""
    text = json.dumps(_jsonable(value), ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def shorten(text: str, width: int) -> str:
    """The text, cut to `width` characters."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def terminal_width() -> int | None:
    """Columns of the terminal that is written to; None when it is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def write_lines(lines: Iterable[str]) -> None:
    """Write line by line as they come."""
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()  # here, where click turns a broken pipe into a quiet end


def write_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> None:
    """A table: drawn on a terminal, aligned text elsewhere. Numbers to the right."""
    body = [list(row) for row in rows]
    right = [
        all(isinstance(row[i], NUMBER) and not isinstance(row[i], bool) for row in body if row[i] is not None)
        for i in range(len(columns))
    ]
    cells = [[_cell(value) for value in row] for row in body]
    if sys.stdout.isatty():
        _draw(columns, cells, right, title)
    else:
        _align([printable(name) for name in columns], cells, right, title)


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """CSV with a header. To a file or a pipe the texts go as they are; to a terminal with escapes."""
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    clean = printable if sys.stdout.isatty() else str
    for row in rows:
        writer.writerow(["" if v is None else clean(v if isinstance(v, str) else _plain(v, full=True)) for v in row])
    sys.stdout.flush()


def _draw(columns: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool], title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Text objects are never read as markup.
    table = Table(title=Text(title) if title else None, title_justify="left")
    for name, to_the_right in zip(columns, right, strict=True):
        table.add_column(Text(printable(name)), justify="right" if to_the_right else "left")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def _align(columns: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool], title: str) -> None:
    from rich.cells import cell_len

    lines = [columns, *cells]
    widths = [max(cell_len(line[i]) for line in lines) for i in range(len(columns))]

    def pad(cell: str, width: int, to_the_right: bool) -> str:
        space = " " * (width - cell_len(cell))
        return space + cell if to_the_right else cell + space

    if title:
        sys.stdout.write(title + "\n")
    write_lines("  ".join(map(pad, line, widths, right)).rstrip() for line in lines)


def _cell(value: Any) -> str:
    return printable(_plain(value))


def _plain(value: Any, full: bool = False) -> str:
    """The value as a person reads it, or in full as a machine does."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return str(value) if full else f"{value:.4g}"
        case datetime():
            # Naive times are UTC, as everywhere in the projections.
            return value.isoformat(sep=" ", timespec="auto" if full else "seconds")
        case dict() | list() | tuple():
            return json_line(value)
        case _:
            return str(value)


def _jsonable(value: Any) -> Any:
    """The value in what JSON has. Times are ISO 8601, naive ones UTC; NaN and infinities become null."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {str(key): _jsonable(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_jsonable(inner) for inner in value]
        case datetime():
            return value.isoformat() + ("Z" if value.tzinfo is None else "")
        case date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal():
            return float(value)
        case bytes():
            return value.hex()
        case _:
            return str(value)
