"""`plan[…]`: steps in order, results under names, and a working directory that is put back."""

from collections.abc import Mapping
from typing import Any

import pytest

from agent0es.tools.base import NO_FILES, ToolLimits, ToolResult
from agent0es.tools.plan import Plan, PlanError, PlanTool, Step, parse
from tests.unit.tools.sandboxes import Told, call

LIMITS = ToolLimits(steps={"python": ToolLimits(timeout_seconds=2), "math": ToolLimits()})


class Echo:
    """Gives its input back and writes it down; `fail` fails, after writing."""

    name, description, allowed = "python", "", ()
    schema: Mapping[str, Any] = {}

    def __init__(self) -> None:
        self.asked: list[tuple[str, float]] = []

    async def run(self, text: str, limits: ToolLimits, files: Mapping[str, str] = NO_FILES) -> ToolResult:
        self.asked.append((text, limits.timeout_seconds))
        status: Any = "error" if text == "fail" else "ok"
        return ToolResult(status, text, 0, 1, 0, 0.1, 0.1, 1.0, "told", files={**files, f"{len(self.asked)}": text})


def plan(text: str, files: Mapping[str, str] = NO_FILES) -> tuple[ToolResult, Echo]:
    echo = Echo()
    return call(PlanTool(Told(), {"python": echo, "math": echo}), text, dict(files), LIMITS), echo


STEPS = (Step("python", "2+3", "a"), Step("math", "${a}^2", "step2"))


@pytest.mark.parametrize(
    "text",
    [
        "a = python[2+3]\nmath[${a}^2]",
        "1. Action: a = python[2+3]\n2. Action: math[${a}^2]\n",
        '{"steps": [{"tool": "python", "input": "2+3", "as": "a"}, {"tool": "math", "input": "${a}^2"}]}',
        '[{"tool": "python", "input": "2+3", "as": "a"}, {"tool": "math", "input": "${a}^2"}]',
    ],
)
def test_lines_and_json_say_the_same(text: str) -> None:
    assert parse(text) == Plan(STEPS, "rollback_plan")


def test_an_input_may_have_lines_and_brackets() -> None:
    found = parse("on_error: keep\na = python[\nfor i in [1, 2]:\n  print([i][0])\n]\nmath[x]")
    assert found == Plan(
        (Step("python", "\nfor i in [1, 2]:\n  print([i][0])\n", "a"), Step("math", "x", "step2")), "keep"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "a = python[1",
        "a = plan[x]",
        "python[${b}]",
        "{",
        '{"steps": 3}',
        '{"steps": [{"tool": 1}]}',
        "on_error: x",
    ],
)
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(PlanError):
        parse(text)


def test_results_have_names() -> None:
    result, echo = plan("a = python[5]\nb = math[${a}*${a}]\npython[${b}]")
    assert [text for text, _ in echo.asked] == ["5", "5*5", "5*5"]
    assert (result.status, result.output) == ("ok", "1. a: 5\n2. b: 5*5\n3. step3: 5*5")
    assert result.files == {"1": "5", "2": "5*5", "3": "5*5"}
    assert echo.asked[0][1] <= 2, "a step has its tool's limits, and what is left of the plan's time"


@pytest.mark.parametrize(
    ("policy", "files", "asked"),
    [
        ("rollback_plan", None, 2),
        ("rollback_step", {"0": "", "1": "one"}, 2),
        ("keep", {"0": "", "1": "one", "2": "fail", "3": "three"}, 3),
    ],
)
def test_a_step_that_fails_puts_the_files_back(policy: str, files: dict[str, str] | None, asked: int) -> None:
    result, echo = plan(f"on_error: {policy}\npython[one]\npython[fail]\npython[three]", {"0": ""})
    assert result.status == "error"
    assert result.files == files
    assert len(echo.asked) == asked


def test_a_tool_that_a_plan_may_not_call_stops_it_before_it_starts() -> None:
    result, echo = plan("python[1]\nshell[ls]")
    assert (result.status, result.denied, echo.asked) == ("denied", ("tool 'shell'",), [])
