"""Files that a user names: what is there is replaced whole, written through, or refused."""

import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent0es.errors import StoreError, UserError
from agent0es.files import LARGEST_TEXT, read_text, replacing
from agent0es.log import EventLog


def write(file: Path, content: bytes = b"new") -> None:
    with replacing(file) as output:
        output.write(content)


def test_a_new_file_has_the_mode_that_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "file")
    finally:
        os.umask(before)
    assert (tmp_path / "file").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "file").chmod(mode)
    write(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("old")
    (tmp_path / "link").symlink_to("folder/file")
    (tmp_path / "dangling").symlink_to("folder/other")
    write(tmp_path / "link")
    write(tmp_path / "dangling")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "dangling").is_symlink()
    assert (tmp_path / "folder" / "file").read_bytes() == b"new"
    assert (tmp_path / "folder" / "other").read_bytes() == b"new"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write(tmp_path / "pipe")
    reader.join()
    assert read == [b"new"]
    assert (tmp_path / "pipe").is_fifo()


def test_a_device_stays_a_device() -> None:
    before = Path("/dev/null").stat()
    write(Path("/dev/null"))
    assert (Path("/dev/null").stat().st_ino, Path("/dev/null").stat().st_mode) == (before.st_ino, before.st_mode)
    with pytest.raises(StoreError, match="/dev/full: No space left"):
        write(Path("/dev/full"))


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_by_name_is_added_to(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("old ")
    code = f"from tests.unit.test_files import *; write(Path({name!r}))"
    with (tmp_path / "file").open("ab") as output:
        subprocess.run([sys.executable, "-c", code], check=True, stdout=output, cwd=Path(__file__).parents[2])
    assert (tmp_path / "file").read_text() == "old new"


def test_what_would_be_lost_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    with EventLog.open(tmp_path / "log.db"):
        pass
    log = (tmp_path / "log.db").read_bytes()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "socket"))
    said = {}
    for name in ("folder", "log.db", "socket", "loop", "none/file", "log.db/file", "x" * 300):
        with pytest.raises(StoreError) as refused:
            write(tmp_path / name)
        said[name] = str(refused.value)
    listening.close()
    assert "is a folder" in said["folder"] and "is a database" in said["log.db"]
    assert all(str(tmp_path / name) in text and "\n" not in text for name, text in said.items())
    assert (tmp_path / "log.db").read_bytes() == log
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "log.db", "loop", "socket"]


def test_after_an_error_the_file_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "file") as output:
        output.write(b"new")
        raise ZeroDivisionError
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"fine\nbad \xff", "line 2: this is not UTF-8"),
        (b"\xff\xfea\0", "line 1: this is not UTF-8"),
        (b"x" * (LARGEST_TEXT + 1), "more than 64 MB"),
    ],
    ids=["missing", "latin-1", "utf-16", "too large"],
)
def test_a_text_that_can_not_be_read_is_said_in_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_text(tmp_path / "file")


def test_folders_and_endless_files_are_no_texts(tmp_path: Path) -> None:
    for file, said in ((tmp_path, "Is a directory"), (Path("/dev/zero"), "more than")):
        with pytest.raises(UserError, match=said):
            read_text(file)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbfSELECT 1")
    assert read_text(tmp_path / "file") == "SELECT 1"
