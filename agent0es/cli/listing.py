"""Lists whose rows end in a text: beside the row where the terminal is wide enough, else on a line below it."""

import textwrap
from collections.abc import Sequence

from agent0es.cli.output import printable, shorten, terminal_width, write_lines

SHORT_TEXT = 60
"""Characters that are shown of a text where no terminal says how many fit."""
FEWEST = 40
"""A longer text with less room than that beside its row goes below it."""
INDENT = 4


def write_listing(
    columns: Sequence[str], rows: Sequence[Sequence[str | None]], texts: Sequence[str], name: str
) -> None:
    """Rows in columns, each with the first line of its text; `name` is the heading of the texts.

    Only the texts are shortened, nothing else is cut. Without a terminal each row is one line.
    """
    cells = [[printable(cell or "") for cell in row] for row in rows]
    lines = _aligned([list(columns), *cells])
    beside = room(len(lines[0]) + 2)
    if beside >= max(min(FEWEST, len(printable(text))) for text in texts or [""]):
        shown = [first_line(text, beside) for text in texts]
        write_lines(f"{line}  {text}".rstrip() for line, text in zip(lines, [name, *shown], strict=True))
        return
    write_lines([lines[0].rstrip()])
    for line, text in zip(lines[1:], texts, strict=True):
        write_lines([line.rstrip(), *([" " * INDENT + first_line(text, room(INDENT))] if text else [])])


def room(used: int) -> int:
    """Characters that a terminal's line has beside `used` ones; `SHORT_TEXT` without a terminal."""
    width = terminal_width()
    return SHORT_TEXT if width is None else max(0, width - used)


def first_line(text: str, most: int) -> str:
    """At most so many characters of a hostile text's first line, with a mark where there is more."""
    first, _, rest = text.partition("\n")
    return shorten(printable(first + (" …" if rest else "")), most)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines of one width, two spaces between columns."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]


def folded(line: str, indent: int) -> list[str]:
    """A line of prose as lines that fit the terminal, the later ones indented; no word is broken."""
    width = terminal_width()
    longest = max(map(len, line.split()), default=0)
    if width is None or len(line) <= width or indent + longest > width:
        return [line]
    return textwrap.wrap(
        line,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )


def write_fields(fields: Sequence[tuple[str, object]], indent: int = 2) -> None:
    """A line for each name and its value, folded under the value; what has no value is left out."""
    known = [(name, printable(str(value))) for name, value in fields if value is not None]
    wide = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        start = f"{'':<{indent}}{name:<{wide}}  "
        write_lines(folded(start + value, len(start)))
