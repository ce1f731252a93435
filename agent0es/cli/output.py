"""What commands share: common options, and how rows and texts are printed.

Texts of models are hostile: a terminal obeys what is written to it. So no character that is not printable, that is not
seen (variation selectors, fillers), or that is a fourth mark on one letter reaches the output: tables show it as an
escape (`\\x1b`), JSON as `\\u001b`, which reads back as the same string. Nothing is left out, because what a text tried
to hide is worth seeing.
"""

import json
import math
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from agent0es.cli.hints import remember_store
from agent0es.errors import UserError

if TYPE_CHECKING:
    from agent0es.cli.layout import Column

INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters that are printable by their class and yet not seen."""
MOST_MARKS = 3
"""Accents on one letter; more draw over the lines around it."""
LARGEST_PLAIN = 1e15
"""Below it a float's whole part is written out."""

NUMBER = (int, float, Decimal)
FIGURE = re.compile(r"[+-]?\d+(\.\d+)?%?")
"""A number as a text: 33.3%, +0.051."""
FREE_TEXT = (str, dict, list, tuple)
"""What may be folded at its spaces; a time may not."""

store_option = click.option(
    "--store",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=Path("store"),
    envvar="AGENT0ES_STORE",
    show_default=True,
    callback=remember_store,
    help="Folder with the runs.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def say_waiting(run: str) -> None:
    """Whoever follows a run that nobody drives must know why nothing comes."""
    click.echo(printable(f"Run {run} is not running now; waiting for events. Press Ctrl-C to stop."), err=True)


def printable(text: str) -> str:
    """The text on one line, with an escape in place of each character that is not seen or moves others."""
    return _escaped(text, lambda c: c.encode("unicode_escape", "surrogatepass").decode())


def json_line(value: Any) -> str:
    """The value as JSON on one line, numbers with all their digits, without a character that is not printable."""
    text = _escaped(_json(value), _json_escape)
    if text.isascii() or _holds_all(sys.stdout):
        return text
    return "".join(c if c.isascii() else _json_escape(c) for c in text)


def shorten(text: str, width: int) -> str:
    """The text, cut to `width` characters."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def terminal_width() -> int | None:
    """Columns of the terminal that is written to; None when it is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def write_lines(lines: Iterable[str]) -> None:
    """Write line by line as they come. What a terminal would obey is shown as an escape."""
    for line in lines:
        sys.stdout.write((line if line.isprintable() else printable(line)) + "\n")
    sys.stdout.flush()  # here, where click turns a broken pipe into a quiet end


def write_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> None:
    """A table: fitted to the terminal, else aligned. Numbers stand to the right; nothing is cut."""
    write_lines(table_lines(columns, rows, title, terminal_width()))


def table_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str, width: int | None) -> Iterator[str]:
    """The lines of a table for a terminal of that width, or for none."""
    from agent0es.cli.layout import fold, layout

    if title:
        yield from [printable(title)] if width is None else fold(printable(title), width)
    yield from layout(columns_of(columns, rows), width, ruled=width is not None)


def columns_of(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> "list[Column]":
    """The columns of a table as texts that a terminal can take."""
    from agent0es.cli.layout import Column

    body = list(rows)
    made = []
    for place, name in enumerate(names):
        values = [row[place] for row in body]
        cells = [_cell(value) for value in values]
        free = any(isinstance(v, FREE_TEXT) and " " in cell for v, cell in zip(values, cells, strict=True))
        made.append(Column(printable(name), cells, right=all(map(_is_figure, values)), folds=free))
    return made


def _is_figure(value: Any) -> bool:
    """Whether it stands to the right: a number, a text that is one, nothing."""
    if isinstance(value, str):
        return FIGURE.fullmatch(value) is not None
    return value is None or (isinstance(value, NUMBER) and not isinstance(value, bool))


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """CSV with a header. To a file or a pipe the texts go as they are; to a terminal with escapes."""
    import csv

    writer = csv.writer(_Exact(), lineterminator="\n")
    clean = printable if sys.stdout.isatty() else str
    writer.writerow(map(clean, columns))
    for row in rows:
        writer.writerow(["" if v is None else clean(v if isinstance(v, str) else _plain(v, full=True)) for v in row])
    sys.stdout.flush()


class _Exact:
    """Standard output for data that must not be changed on the way. Raises UserError for what its encoding lacks."""

    def write(self, text: str) -> int:
        try:
            text.encode(sys.stdout.encoding)
        except UnicodeEncodeError as error:
            lacking = printable(text[error.start])
            raise UserError(
                f"standard output is {error.encoding} and can't hold {lacking}; set PYTHONIOENCODING=utf-8, or write a "
                "file with -o"
            ) from None
        return sys.stdout.write(text)


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    """The text with an escape for each character that a terminal obeys, that is not seen, or that floods its place."""
    if text.isascii() and text.isprintable():
        return text
    parts = []
    marks = 0
    for c in text:
        marks = marks + 1 if unicodedata.category(c) in ("Mn", "Me") else 0
        parts.append(escape(c) if not c.isprintable() or INVISIBLE.match(c) or marks > MOST_MARKS else c)
    return "".join(parts)


def _json_escape(c: str) -> str:
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else json.dumps(c)[1:-1]


def _holds_all(stream: TextIO) -> bool:
    """Whether the stream's encoding has every character."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").startswith(("utf", "cp65001"))


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
            return str(value) if full else _short(value)
        case datetime():
            # Naive times are UTC, as everywhere in the projections.
            return value.isoformat(sep=" ", timespec="auto" if full else "seconds")
        case dict() | list() | tuple():
            return json_line(value)
        case _:
            return str(value)


def _short(value: float) -> str:
    """Four significant digits, but never less than the whole number before the point."""
    text = f"{value:.4g}"
    return f"{value:.0f}" if "e+" in text and abs(value) < LARGEST_PLAIN else text


def _json(value: Any) -> str:
    """The value as JSON text. Times are ISO 8601, naive ones UTC; NaN and infinities become null.

    Whole numbers and decimals have all their digits, which many readers of JSON round unless they are told not to.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case str():
            return json.dumps(value, ensure_ascii=False)
        case float():
            return repr(float(value)) if math.isfinite(value) else "null"
        case Decimal():
            return str(value) if value.is_finite() else "null"
        case dict():
            return "{" + ", ".join(f"{_json(str(key))}: {_json(inner)}" for key, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_json, value)) + "]"
        case datetime():
            return _json(value.isoformat() + ("Z" if value.tzinfo is None else ""))
        case date():
            return _json(value.isoformat())
        case timedelta():
            return repr(value.total_seconds())
        case bytes():
            return _json(value.hex())
        case _:
            return _json(str(value))
