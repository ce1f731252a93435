"""How a table becomes lines: aligned where there is room, else folded, else one record after the other.

Nothing is ever cut. Numbers, times and words (names, hashes, paths) are not broken; only free text folds, at spaces.
When even that does not fit, each row becomes a record of `name  value` lines, as psql does it with `\\x auto`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

GAPS = ("  ", " ")
"""Between columns, and where that is too much."""
NARROWEST_TEXT = 20
"""Columns below which free text is not squeezed."""
RECORD = "─["
"""How a record's first line begins."""
TALLEST_CELL = 6
"""Lines of a folded cell beyond which records are easier to read."""
HEADING_PARTS = re.compile(r" *[^ _]+_*| *_+")
"""A heading breaks at spaces and after underscores."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading and its cells, which hold nothing that a terminal obeys."""

    heading: str
    cells: Sequence[str]
    right: bool = False
    """Numbers stand to the right."""
    folds: bool = False
    """Free text, which may be folded at its spaces."""


def layout(columns: Sequence[Column], width: int | None, *, ruled: bool = False) -> Iterator[str]:
    """The table's lines, none wider than `width` terminal columns as long as its words let it; without one, aligned.

    `ruled` draws a line under the headings.
    """
    natural = [max(1, _widest([column.heading, *column.cells])) for column in columns]
    if width is None:
        return _table(columns, natural, GAPS[0], ruled)
    for gap in GAPS:
        widths = _fitted(columns, natural, width - len(gap) * (len(columns) - 1))
        if widths is not None:
            return _table(columns, widths, gap, ruled)
    if columns[0].cells:
        return _records(columns, width)
    return _table(columns, natural, GAPS[0], ruled)


def fits(columns: Sequence[Column], width: int) -> bool:
    """Whether they make a table at that width, and not records."""
    return not next(layout(columns, width), "").startswith(RECORD)


def fold(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns, broken at spaces. A longer word has a line to itself."""
    if cell_len(text) <= width:
        return [text]
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and cell_len(line) + 1 + cell_len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def cell_len(text: str) -> int:
    """Columns that the text takes on a terminal."""
    from rich.cells import cell_len as measure  # not at the top: most commands start without rich

    return len(text) if text.isascii() else measure(text)


def _fitted(columns: Sequence[Column], natural: Sequence[int], room: int) -> list[int] | None:
    """A width for each column so that all take at most `room`; None when records are better."""
    widths = [_least(column, wanted) for column, wanted in zip(columns, natural, strict=True)]
    room -= sum(widths)
    if room < 0:
        return None
    for _ in range(room):
        # Texts grow before headings, and first the one that lacks most: widths come out in proportion to the texts.
        folded = [place for place in range(len(columns)) if widths[place] < natural[place]]
        growing = max(folded, key=lambda i: (columns[i].folds, natural[i] / widths[i]), default=None)
        if growing is None:
            break
        widths[growing] += 1
    folding = [(column, w) for column, w in zip(columns, widths, strict=True) if column.folds]
    tallest = max((len(fold(cell, w)) for column, w in folding for cell in column.cells), default=0)
    return None if tallest > TALLEST_CELL else widths


def _least(column: Column, natural: int) -> int:
    """The narrowest that the column can be without breaking a word."""
    heading = _widest([part.lstrip(" ") for part in HEADING_PARTS.findall(column.heading)])
    if not column.folds:
        return max(1, heading, _widest(column.cells))
    words = _widest([word for cell in column.cells for word in cell.split(" ")])
    return max(1, heading, words, min(natural, NARROWEST_TEXT))


def _table(columns: Sequence[Column], widths: Sequence[int], gap: str, ruled: bool) -> Iterator[str]:
    headings = [_folded_heading(column.heading, width) for column, width in zip(columns, widths, strict=True)]
    yield from _row(columns, widths, gap, headings)
    if ruled:
        yield gap.join("━" * width for width in widths)
    for row in zip(*(column.cells for column in columns), strict=True):
        cells = [
            fold(cell, width) if column.folds else [cell]
            for column, width, cell in zip(columns, widths, row, strict=True)
        ]
        yield from _row(columns, widths, gap, cells)


def _row(columns: Sequence[Column], widths: Sequence[int], gap: str, cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """One row in as many lines as its tallest cell has."""
    for parts in zip_longest(*cells, fillvalue=""):
        padded = [_pad(part, width, column.right) for column, width, part in zip(columns, widths, parts, strict=True)]
        yield gap.join(padded).rstrip()


def _records(columns: Sequence[Column], width: int) -> Iterator[str]:
    """Each row as a record: a name and its value a line."""
    margin = _widest([column.heading for column in columns])
    for number, row in enumerate(zip(*(column.cells for column in columns), strict=True), 1):
        yield f"{RECORD} {number} ]".ljust(min(width, margin + 2 * NARROWEST_TEXT), "─")
        for column, cell in zip(columns, row, strict=True):
            room = width - margin - len(GAPS[0])
            lines = fold(cell, max(room, NARROWEST_TEXT)) if column.folds else [cell]
            for place, line in enumerate(lines):
                yield (_pad("" if place else column.heading, margin, False) + GAPS[0] + line).rstrip()


def _folded_heading(heading: str, width: int) -> list[str]:
    lines = [""]
    for part in HEADING_PARTS.findall(heading):
        if lines[-1] and cell_len(lines[-1] + part) > width:
            lines.append(part.lstrip(" "))
        else:
            lines[-1] += part
    return lines


def _pad(cell: str, width: int, right: bool) -> str:
    space = " " * (width - cell_len(cell))
    return space + cell if right else cell + space


def _widest(texts: Sequence[str]) -> int:
    return max(map(cell_len, texts), default=0)
