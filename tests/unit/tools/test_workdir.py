"""The working directory as data: in, out, and what is not kept."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.decisions.attempt import called
from agent0es.domain import events as ev
from agent0es.domain.workdir import changed, changes, files_sha256
from agent0es.tools import ToolLimits, workdir
from agent0es.tools.python import PythonTool
from tests.unit.tools.sandboxes import Told, call

FILES = st.dictionaries(st.sampled_from(["a.txt", "b/c.txt", "d.py"]), st.text(max_size=8), max_size=3)
BYTES = st.dictionaries(st.sampled_from(["a.txt", "b/c.txt", "d.py"]), st.binary(max_size=8), max_size=3)


@given(before=FILES, after=FILES)
def test_changes_make_the_one_of_the_other(before: dict[str, str], after: dict[str, str]) -> None:
    assert changed(before, *changes(before, after)) == after


@given(before=FILES, found=BYTES)
def test_what_the_log_says_of_a_call_folds_to_what_the_call_gave(
    before: dict[str, str], found: dict[str, bytes]
) -> None:
    result = call(PythonTool(Told(files=found)), "x", before)
    requested = ev.ToolRequested(
        call="1/0#1", attempt="1/0", tool="python", input="x", purpose="solution", timeout_seconds=1, memory_limit_mb=64
    )
    event = called(requested, result, before)
    after = before if result.files is None else result.files
    assert changed(before, event.written, event.deleted) == after
    kept = {path: text for path, data in found.items() if (text := readable(data)) is not None}
    assert after == kept


def readable(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


@given(FILES)
def test_the_hash_is_of_the_content_and_not_of_the_order(files: dict[str, str]) -> None:
    assert files_sha256(dict(reversed(files.items()))) == files_sha256(files)
    assert (files_sha256(files) is None) == (not files)
    assert files_sha256({**files, "new": ""}) != files_sha256(files)


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../b", "./a", "a//b", "a/", "a\nb", "x" * 201, "\u202ea"]
)
def test_a_path_that_is_not_inside_is_refused(path: str) -> None:
    assert workdir.path_complaint(path) is not None
    result = call(PythonTool(Told()), "x", {path: ""})
    assert (result.status, result.denied) == ("denied", ("files",))


@pytest.mark.parametrize("path", ["a", "a.txt", "a/b/c.py", ".hidden", "..a", "ünï.txt", "-rf"])
def test_a_path_that_is_inside_is_not(path: str) -> None:
    assert workdir.path_complaint(path) is None


def test_a_file_can_not_be_a_folder_too() -> None:
    assert call(PythonTool(Told()), "x", {"a": "", "a/b": ""}).status == "denied"


def test_too_much_changes_nothing_and_says_so() -> None:
    many = {f"{n}.txt": b"x" for n in range(100)}
    result = call(PythonTool(Told(stdout=b"done\n", files=many)), "x", {"a": "1"})
    assert (result.status, result.files, result.written) == ("limit", None, ())
    assert result.output.startswith("done\nFilesError: the working directory holds more than 64 files")


def test_what_is_no_text_is_recorded_and_not_kept() -> None:
    result = call(PythonTool(Told(stdout=b"5\n", files={"a": b"\xff", "b": b"ok"})), "x")
    assert (result.status, result.files) == ("ok", {"b": "ok"})
    assert result.output == "5\n(not kept, because it is no text: 'a')"
    [binary, text] = result.written
    assert (binary.path, binary.bytes, binary.text) == ("a", 1, None)
    assert binary.sha256 == hashlib.sha256(b"\xff").hexdigest()
    assert (text.text, text.bytes) == ("ok", 2)


def test_the_sandbox_gets_the_files_and_gives_them_back() -> None:
    sandbox = Told(files={"a": b"1"})
    result = call(PythonTool(sandbox), "x", {"a": "1"}, ToolLimits())
    assert sandbox.command is not None
    assert (sandbox.command.files, sandbox.command.collect) == ({"a": b"1"}, True)
    assert (result.files, result.written) == (None, ())


def test_a_name_that_is_no_text_can_be_stored_all_the_same() -> None:
    _files, written, note = workdir.after({}, {"a\udcff.txt": b"x", "b\ud83d": b"\xff"})
    assert [file.path for file in written] == ["a\\udcff.txt", "b\\ud83d"]
    assert (note or "").isascii()
