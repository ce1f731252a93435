"""What holds for the files of the package itself, and for the map of them. The order of imports is import-linter's."""

import re
from pathlib import Path

import agent0es

PACKAGE = Path(agent0es.__file__).parent
CODE = (".py", ".sql")
MOST_LINES = 400


def test_no_file_of_code_is_too_long_to_read_at_once() -> None:
    lines = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in PACKAGE.rglob("*")
        if path.suffix in CODE
    }
    assert len(lines) > 100  # they were found
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_every_place_that_the_map_of_the_house_names_is_there() -> None:
    """`docs/architecture.md` names places as `file: name`."""
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    places = re.findall(r"`([\w/<>*.]+?(?:\.py|\.sql|/))(?:: (\w+))?`", page)
    assert len(places) > 100  # they were found
    missing = []
    for file, name in places:
        found = list(PACKAGE.glob(re.sub(r"<\w+>", "*", file).rstrip("/")))
        if not found or (name and not any(defines(path, name) for path in found)):
            missing.append(f"{file}: {name}")
    assert missing == []


def defines(path: Path, name: str) -> bool:
    """Whether a module has a class, a function or a value of this name."""
    return (
        re.search(rf"^(?:async )?(?:def |class )?{name}\b", path.read_text(encoding="utf-8"), re.MULTILINE) is not None
    )
