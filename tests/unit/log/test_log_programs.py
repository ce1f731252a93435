"""A verifier's call of before, its program glued to its data, is read as one of today."""

import json
from typing import Any

import pytest

from agent0es.domain.program import Program
from agent0es.domain.task import Task
from agent0es.log.upcasting import upcast
from agent0es.taskdomains.base import NeedsCall
from agent0es.taskdomains.math.verifier import judge
from tests.support.programs import printed

OLD_LIBRARY = "def compare(given, true, form):\n    return 'true' if given == true else 'false'\n"


def old(text: str, **changed: Any) -> dict[str, Any]:
    content = {
        "type": "ToolRequested", "version": 2, "call": "1/0#v", "attempt": "1/0", "tool": "python", "input": text,
        "purpose": "verification", "timeout_seconds": 5.0, "memory_limit_mb": 512, "policy_sha256": None,
        "tier": "full", "files_sha256": None,
    }  # fmt: skip
    return upcast({**content, **changed})


def test_the_data_of_an_old_call_is_what_the_verifier_gives_today() -> None:
    task = Task(
        domain="math", family="any", parameters={}, wording=0, description="", reference="x**2 + 7*x",
        reference_action="", difficulty=0.0,
    )  # fmt: skip
    needed = judge("7*x + x^2", task)
    assert isinstance(needed, NeedsCall) and needed.program is not None
    read = old(f"{OLD_LIBRARY}\nprint(compare('7*x + x^2', 'x**2 + 7*x', ''))\n")
    assert (read["input"], read["program"]["name"]) == (needed.input, needed.program.name)


@pytest.mark.parametrize(
    ("line", "data"),
    [
        ("print(compare('a', 'a', ''))", {"given": "a", "true": "a", "form": ""}),
        ("print(compare('\\'\"\\n\\u03c0', ')', 'f'))", {"given": "'\"\nπ", "true": ")", "form": "f"}),
        (
            "print(json.dumps(judge('x', 'y', '', {'unordered': False, 'form': ''})))",
            {"given": "x", "true": "y", "raw": "", "settings": {"unordered": False, "form": ""}},
        ),
        ("print(solve('(assert true)'))", {"text": "(assert true)"}),
    ],
)
def test_the_last_line_is_the_data(line: str, data: dict[str, Any]) -> None:
    assert json.loads(old(f"import json\n{line}\n")["input"]) == data


def test_the_program_of_an_old_call_can_be_run_again() -> None:
    read = old(f"{OLD_LIBRARY}\nprint(compare('a', 'a', ''))\n")
    assert printed(Program(**read["program"]), read["input"]) == "true\n"


@pytest.mark.parametrize(
    "text", ["", "print(compare(", "print(compare('a', b, ''))", "print(compare('a'))", "1 + 1", "print(judge())\n\n"]
)
def test_what_is_no_such_call_stays_as_it_is(text: str) -> None:
    assert (old(text)["input"], old(text)["program"]) == (text, None)


def test_what_the_student_wrote_is_never_taken_for_a_program() -> None:
    text = "print(compare('a', 'a', ''))\n"
    assert old(text, purpose="solution")["program"] is None
    assert old(text, purpose="second_instance")["input"] == text
