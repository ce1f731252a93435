"""What is made once is used as it was made, and otherwise made anew."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agent0es.models.made_once import made_once


class Maker:
    """Writes a file, or a folder of two."""

    def __init__(self, folder: bool) -> None:
        self.folder, self.made = folder, 0

    def __call__(self, path: Path) -> None:
        self.made += 1
        if self.folder:
            path.mkdir()
        for name in ("a", "b") if self.folder else ("",):
            (path / name if name else path).write_text("content")


def one_of(target: Path) -> Path:
    return target / "b" if target.is_dir() else target


HARM: dict[str, Callable[[Path], object]] = {
    "truncated": lambda target: one_of(target).write_text("con"),
    "of the same length": lambda target: one_of(target).write_text("CONTENT"),
    "missing": lambda target: one_of(target).unlink(),
    "no manifest": lambda target: target.with_name("made.sha256").unlink(),
    "empty manifest": lambda target: target.with_name("made.sha256").write_text(""),
    "another manifest": lambda target: target.with_name("made.sha256").write_bytes(b"\xff no manifest\n"),
}


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("harm", HARM)
def test_what_is_not_as_it_was_made_is_made_anew(tmp_path: Path, folder: bool, harm: str) -> None:
    make = Maker(folder)
    for _ in range(2):
        target = made_once(tmp_path / "cache" / "made", make)
    assert make.made == 1
    (target.parent / ".made-left").mkdir()
    (target.parent / ".made-file").touch()
    HARM[harm](target)
    made_once(target, make)
    assert make.made == 2
    assert one_of(target).read_text() == "content"
    assert sorted(path.name for path in target.parent.iterdir()) == ["made", "made.sha256"], "nothing is left behind"
    made_once(target, make)
    assert make.made == 2


def test_what_can_not_be_made_leaves_nothing(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_text("half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        made_once(tmp_path / "made", fail)
    assert not list(tmp_path.iterdir())
