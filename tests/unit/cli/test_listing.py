"""Lists whose rows end in a text: it has as much of the line as the terminal leaves, or a line of its own."""

import pytest

from agent0es.cli.listing import write_listing

TEXT = "x" * 200
ROW = "a row of twenty-six letters"


@pytest.mark.parametrize(
    ("width", "text", "lines"),
    [
        (None, TEXT, [f"{ROW}  {'x' * 59}…"]),
        (100, TEXT, [f"{ROW}  {'x' * 70}…"]),
        (60, TEXT, [ROW, f"    {'x' * 55}…"]),
        (60, "two\nlines", [f"{ROW}  two …"]),
        (20, TEXT, [ROW, f"    {'x' * 15}…"]),
        (60, "", [ROW]),
    ],
)
def test_a_text_fills_what_is_left(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    width: int | None,
    text: str,
    lines: list[str],
) -> None:
    monkeypatch.setattr("agent0es.cli.listing.terminal_width", lambda: width)
    write_listing(["row"], [[ROW]], [text], "text")
    assert capsys.readouterr().out.splitlines()[1:] == lines
