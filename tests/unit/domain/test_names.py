"""Which texts may be names, and which paths stay in the store."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.domain.names import (
    LETTERS,
    LONGEST_NAME,
    AttemptName,
    CallName,
    Draft,
    Examined,
    Practised,
    Stream,
    again,
    begun_as,
    in_store,
    is_adapter_name,
    is_name,
    is_relative,
    problem_of,
    read_attempt,
    read_call,
    read_stream,
    rebuilt_name,
    task_of,
)
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


ATTEMPTS: dict[str, AttemptName] = {
    "12/3": Practised(12, 3),
    "12/3.1": Practised(12, 3, 1),
    "12/draft-0": Draft(12, 0),
    "eval/base-zero-shot/17": Examined("eval", "base-zero-shot", 17),
    "eval/student-1/17.2": Examined("eval", "student-1", 17, 2),
    "eval-teacher/teacher-1/0": Examined("eval-teacher", "teacher-1", 0),
}


@pytest.mark.parametrize(("text", "name"), ATTEMPTS.items())
def test_an_attempts_name_is_read_as_it_was_written(text: str, name: AttemptName) -> None:
    assert read_attempt(text) == name
    assert str(name) == text


@pytest.mark.parametrize(
    "text", ["", "12", "12/", "12/x", "12/3.", "12/3.x", "eval/a", "eval//1", "eval/a/b/1", "evil/a/1", "²/1", "12/3\n"]
)
def test_what_is_no_attempt(text: str) -> None:
    assert read_attempt(text) is None
    assert (task_of(text), problem_of(text, "eval")) == (None, None)
    assert begun_as(text) == text


def test_what_is_asked_of_a_name() -> None:
    assert [task_of(name) for name in ATTEMPTS] == [12, 12, 12, None, None, None]
    arms = [getattr(read_attempt(name), "arm", None) for name in ATTEMPTS]
    assert arms == [None, None, None, "base-zero-shot", "student-1", "teacher-1"]
    assert [problem_of(name, "eval") for name in ATTEMPTS] == [None, None, None, 17, 17, None]
    assert [begun_as(name) for name in ("12/3.1", "eval/student-1/17.2", "12/3", "12")] == [
        "12/3", "eval/student-1/17", "12/3", "12"
    ]  # fmt: skip
    assert again("12/3", 2) == str(Practised(12, 3, 2))
    assert [rebuilt_name("student", 1, count) for count in (1, 2)] == ["student-1-clean", "student-1-clean-2"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("12/3#1", CallName("12/3", "solution", 1)),
        ("12/3.1#12", CallName("12/3.1", "solution", 12)),
        ("12/3#v", CallName("12/3", "verification", 1)),
        ("12/3#s2", CallName("12/3", "second_instance", 2)),
        ("12/draft-0#r", CallName("12/draft-0", "reference", 1)),
        ("12/draft-0#d", CallName("12/draft-0", "repetition", 1)),
    ],
)
def test_a_calls_name_is_read_as_it_was_written(text: str, name: CallName) -> None:
    assert read_call(text) == name
    assert str(name) == text


@pytest.mark.parametrize("text", ["", "12/3", "12/3#", "12/3#²", "12/3#x1", "#1"])
def test_what_is_no_call(text: str) -> None:
    assert read_call(text) is None


@given(st.sampled_from(list(ATTEMPTS)), st.sampled_from(list(LETTERS)), st.integers(1, 999))
def test_two_calls_of_an_attempt_never_share_a_name(attempt: str, purpose: str, number: int) -> None:
    name = CallName(attempt, purpose, number)  # type: ignore[arg-type]
    assert read_call(str(name)) == name


def test_streams() -> None:
    for text, found in {"run/r": Stream("run", "r"), "attempt/r/12/3": Stream("attempt", "r", "12/3")}.items():
        assert read_stream(text) == found
        assert str(found) == text
    assert [read_stream(text) for text in ("", "run", "run/", "run/r/", "/r", "run/../x")] == [None] * 6
