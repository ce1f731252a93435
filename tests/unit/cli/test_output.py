"""Texts of models on a terminal: nothing that it would obey, nothing that is not seen, nothing left out."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.cli.output import json_line, printable, write_csv, write_lines, write_table

HOSTILE = (
    ("\x1b[2J", r"\x1b[2J"),
    ("a\nb\tc\r", r"a\nb\tc\r"),
    ("\x00\x07\x7f\x9b", r"\x00\x07\x7f\x9b"),
    ("\u202egnp.exe", r"\u202egnp.exe"),
    ("\u2066a\u2069", r"\u2066a\u2069"),
    ("\u200bzero\u200dwidth\ufeff", r"\u200bzero\u200dwidth\ufeff"),
    ("line\u2028\u2029", r"line\u2028\u2029"),
    ("tag\U000e0041\U000e007f", r"tag\U000e0041\U000e007f"),
    ("variation\ufe0f\U000e0100", r"variation\ufe0f\U000e0100"),
    ("filler\u3164\uffa0\u2800\u115f", r"filler\u3164\uffa0\u2800\u115f"),
    ("half \ud83d", r"half \ud83d"),
    ("private \ue000 \ufffe", r"private \ue000 \ufffe"),
    ("Z" + "\u0301" * 5, "Z" + "\u0301" * 3 + r"\u0301\u0301"),
)
HARMLESS = ("plain", "naïve café", "漢字", "العربية", "עברית", "हिन्दी", "e\u0301", "😀", "a  b", "→ ∑ ≤", "")


@pytest.mark.parametrize(("text", "shown"), HOSTILE, ids=[shown for _, shown in HOSTILE])
def test_hostile_text_is_escaped_and_reads_back(capsys: pytest.CaptureFixture[str], text: str, shown: str) -> None:
    assert printable(text) == shown
    line = json_line({"x": text})
    assert line.isprintable() and json.loads(line) == {"x": text}
    write_table([text], [[text]], text)
    write_lines([json_line([text])])
    assert capsys.readouterr().out.replace("\n", "").isprintable()


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_is_left_alone(text: str) -> None:
    assert printable(text) == text
    assert text in json_line([text])


@given(st.text(st.characters(codec=None)))
def test_whatever_the_text_no_line_moves_the_cursor(text: str) -> None:
    assert printable(text).isprintable()
    assert json_line(text).isprintable() and json.loads(json_line(text)) == text


def test_a_line_that_somebody_forgot_to_escape_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(["run \x1b[31m\u202ename"])
    assert capsys.readouterr().out == "run \\x1b[31m\\u202ename\n"


def test_csv_is_escaped_on_a_terminal_and_exact_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal, expected in ((True, 'a\\x1b\n"1,5"\n\\u202e\n'), (False, 'a\x1b\n"1,5"\n\u202e\n')):
        output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
        monkeypatch.setattr(output, "isatty", lambda terminal=terminal: terminal)
        monkeypatch.setattr("sys.stdout", output)
        write_csv(["a\x1b"], [["1,5"], ["\u202e"]])
        output.seek(0)
        assert output.read() == expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.123456, "0.1235"),
        (2412.7, "2413"),
        (123456.7, "123457"),
        (1e20, "1e+20"),
        (1e-7, "1e-07"),
        (float("inf"), "inf"),
        (12345678901234567890, "12345678901234567890"),
        (True, "true"),
        (None, ""),
        ([1, None], "[1, null]"),
    ],
)
def test_numbers_lose_no_digit_before_the_point(capsys: pytest.CaptureFixture[str], value: object, shown: str) -> None:
    write_table(["x"], [[value]])
    assert capsys.readouterr().out.split("\n")[1].strip() == shown
