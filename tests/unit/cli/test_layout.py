"""Tables on a terminal: nothing is cut, at any width."""

import re
from collections.abc import Sequence

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from agent0es.cli.layout import Column, fits, fold, layout
from agent0es.cli.main import cli

WORD = st.text(st.sampled_from("abcxyz019-_/.é漢"), min_size=1, max_size=24)
TEXT = st.lists(WORD, max_size=30).map(" ".join)
NUMBER = st.integers(-(10**40), 10**40).map(str)


@st.composite
def tables(draw: st.DrawFn) -> list[Column]:
    rows = draw(st.integers(0, 4))
    made = []
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(("text", "word", "number")))
        cell = {"text": TEXT, "word": WORD, "number": NUMBER}[kind]
        cells = draw(st.lists(cell, min_size=rows, max_size=rows))
        made.append(Column(draw(WORD | TEXT), cells, right=kind == "number", folds=kind == "text"))
    return made


def read_table(lines: Sequence[str], count: int) -> list[list[str]]:
    """Headings and rows of a ruled table, read by the columns of its rule; folded cells put together again."""
    rule = next(place for place, line in enumerate(lines) if line.strip("━ ") == "" and "━" in line)
    edges = [(found.start(), found.end()) for found in re.finditer("━+", lines[rule])]
    assert len(edges) == count
    return [[_slice(line, *edge) for edge in edges] for line in lines[:rule] + lines[rule + 1 :]]


def _slice(line: str, start: int, end: int) -> str:
    """What stands in these columns of the terminal."""
    place, text = 0, ""
    for c in line:
        if start <= place < end:
            text += c
        place += cell_len(c)
    return text.strip()


@pytest.mark.parametrize("width", [40, 80, 120])
@settings(max_examples=40)
@given(columns=tables())
def test_every_cell_is_found_whole(width: int, columns: list[Column]) -> None:
    lines = list(layout(columns, width, ruled=True))
    rows = list(zip(*(column.cells for column in columns), strict=True))
    if lines[:1] and lines[0].startswith("─["):
        records = "\n".join(lines).split("─[ ")[1:]
        assert len(records) == len(rows)
        for record, row in zip(records, rows, strict=True):
            said = " ".join(record.split("\n", 1)[1].split())
            wanted = " ".join(
                " ".join(part.split())
                for column, cell in zip(columns, row, strict=True)
                for part in (column.heading, cell)
                if part
            )
            assert said == wanted
    elif lines:
        assert max(map(cell_len, lines)) <= width or not rows
        parts = read_table(lines, len(columns))
        for place, column in enumerate(columns):
            said = "".join("".join(row[place] for row in parts).split())
            assert said == "".join("".join([column.heading, *column.cells]).split())


@settings(max_examples=40)
@given(columns=tables())
def test_without_a_terminal_each_row_is_one_aligned_line(columns: list[Column]) -> None:
    lines = list(layout(columns, None))
    assert len(lines) == 1 + len(columns[0].cells)
    for line, row in zip(lines[1:], zip(*(column.cells for column in columns), strict=True), strict=True):
        assert " ".join(line.split()) == " ".join(" ".join(row).split())


@given(TEXT, st.integers(1, 60))
def test_folding_breaks_at_spaces_only(text: str, width: int) -> None:
    lines = fold(text, width)
    assert " ".join(lines) == text
    assert all(cell_len(line) <= width or " " not in line for line in lines)


def test_numbers_and_names_never_fold_and_stand_side_by_side() -> None:
    columns = [
        Column("run", ["20260131-120000", "x"]),
        Column("serving_student", ["student-1", ""]),
        Column("solve rate", ["0.343", "1"], right=True),
        Column("why", ["the quick brown fox jumps over the lazy dog again and again", "b"], folds=True),
        Column("n", ["2412", "7"], right=True),
    ]
    assert list(layout(columns, 80)) == [
        "run              serving_   solve  why                                         n",
        "                 student     rate",
        "20260131-120000  student-1  0.343  the quick brown fox jumps over the lazy  2412",
        "                                   dog again and again",
        "x                               1  b                                           7",
    ]
    assert list(layout(columns, 50))[:6] == [
        "─[ 1 ]" + "─" * 44,
        "run              20260131-120000",
        "serving_student  student-1",
        "solve rate       0.343",
        "why              the quick brown fox jumps over",
        "                 the lazy dog again and again",
    ]


def test_a_long_text_makes_records_and_not_a_tower() -> None:
    columns = [Column("name", ["a"]), Column("text", ["word " * 200], folds=True)]
    assert next(layout(columns, 80)).startswith("─[ 1 ]")
    assert not fits(columns, 80) and fits(columns, 240)
    assert next(layout(columns, None)) == "name  text"


def test_columns_move_together_before_a_table_becomes_records() -> None:
    columns = [Column(f"n{place}", ["1234567"], right=True) for place in range(5)]
    assert list(layout(columns, 40)) == [
        "     n0      n1      n2      n3      n4",
        "1234567 1234567 1234567 1234567 1234567",
    ]
    assert not fits(columns, 38)


def test_the_help_of_a_group_says_what_each_command_does_uncut() -> None:
    groups = [command for command in cli.commands.values() if isinstance(command, click.Group)]
    assert len(groups) > 5
    for group in (cli, *groups):
        shown = CliRunner().invoke(group, ["--help"], terminal_width=80).output
        assert all(name in shown for name in group.commands)
        assert "..." not in shown.partition("Commands:")[2], shown
