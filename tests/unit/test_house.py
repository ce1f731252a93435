"""What holds for the files of the package itself. The order of its imports is import-linter's (pyproject.toml)."""

from pathlib import Path

import agent0es

PACKAGE = Path(agent0es.__file__).parent
CODE = (".py", ".sql")
MOST_LINES = 400
TOO_LONG_STILL = {"domain/events.py"}
"""To be split. No other joins it."""


def test_no_file_of_code_is_too_long_to_read_at_once() -> None:
    lines = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in PACKAGE.rglob("*")
        if path.suffix in CODE
    }
    assert len(lines) > 100  # they were found
    assert {name: count for name, count in lines.items() if count > MOST_LINES and name not in TOO_LONG_STILL} == {}
