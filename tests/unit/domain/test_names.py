"""Which texts may be names, and which paths stay in the store."""

from pathlib import Path

import pytest

from agent0es.domain.names import LONGEST_NAME, in_store, is_adapter_name, is_name, is_relative
from agent0es.errors import StoreError

NAMES = ("20261128-235222", "20261128-235222-2", "qüer", "student-1", "a", "0", "x.y_z-1", "学生", "a" * LONGEST_NAME)

NO_NAMES = (
    "",
    ".",
    "..",
    "../../X",
    "a/b",
    "/etc",
    "a\\b",
    "-rf",
    ".hidden",
    "_x",
    "a b",
    "a\n",
    "a\0",
    "\x1b[31mred",
    "a\u202eb",
    "a\u200bb",
    "a\ud83d",
    "a;b",
    "$(x)",
    "a" * (LONGEST_NAME + 1),
    "\U00020000" * LONGEST_NAME,  # letters, but too long for the name of a file
)


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_name(name: str) -> None:
    assert not is_name(name)
    assert not is_adapter_name(name)


def test_a_name_for_an_adapter_is_told_from_a_task_and_from_an_arm() -> None:
    assert is_adapter_name("student-1-clean")
    assert not any(is_adapter_name(name) for name in ("12", "x.1", "base-few-shot"))


@pytest.mark.parametrize("path", ["adapters/r/student-1", "a", "a/..b/c", "a/./b", "ein Name.txt", "a\x1b"])
def test_paths_in_the_store(path: str, tmp_path: Path) -> None:
    assert is_relative(path)
    assert in_store(tmp_path, path).resolve().is_relative_to(tmp_path.resolve())


@pytest.mark.parametrize("path", ["", ".", "..", "/etc/passwd", "//x", "a/../../b", "../a", "a/..", "a\0"])
def test_paths_that_leave_the_store(path: str, tmp_path: Path) -> None:
    assert not is_relative(path)
    with pytest.raises(StoreError, match="not a path in the store"):
        in_store(tmp_path, "adapters", path)
