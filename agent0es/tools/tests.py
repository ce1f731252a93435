"""The tool that runs tests on a solution, and gives no credit for anything but right results.

Who says what is right never runs in the process of the solution: for `tests.json` results come out of the sandbox as
data and are compared here; for scripts and test files the solution has a process of its own in the sandbox
(`inside/solution_link.py`).
"""

import ast
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent0es.domain.text import one_line
from agent0es.sandbox import Sandbox
from agent0es.tools.base import NO_FILES, ToolLimits, ToolResult, ToolStatus, refused
from agent0es.tools.expected import UnreadableExpectation, read_expected
from agent0es.tools.inside.codec import NotPlain, decode, same
from agent0es.tools.inside.run_tests import is_suite
from agent0es.tools.program import inside, run_program
from agent0es.tools.workdir import complaint

MAX_TESTS = 200
MAX_CHARACTERS = 10_000
"""Of one call and of one expected value."""
SHOWN, WHY_CHARACTERS = 20, 200
INPUT_BYTES = 4 << 20
CALLS, SCRIPT = "tests.json", "tests.py"
SOLUTION = "solution.py"
UNJUDGED = "can't be judged"
"""How the line of a test begins that says nothing about the solution."""


@dataclass(frozen=True, slots=True)
class Case:
    """One line of `tests.json`."""

    call: str
    """An expression, evaluated with the solution's names."""
    expect: str | None
    """The value as a Python literal; None where an exception is expected."""
    raises: str | None
    """Name of the exception that is expected."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one test."""

    test: str
    passed: bool
    why: str = ""
    leaned: tuple[str, ...] = ()
    """Where the test believed what objects of the solution say of themselves: `==`, `in`."""


class TestsTool:
    """`tests[…]` with a solution as input, and the tests in the working directory."""

    __test__ = False  # for pytest
    name = "tests"
    description = (
        "runs the tests in the working directory (tests.json, tests.py or test_*.py) on a solution in Python; "
        "shows how many pass and why others fail"
    )
    schema: Mapping[str, Any] = {"type": "string", "description": "Python source; empty for solution.py"}
    allowed: tuple[str, ...] = ()

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def run(self, text: str, limits: ToolLimits, files: Mapping[str, str] = NO_FILES) -> ToolResult:
        """The output begins with `P of N passed`; status `ok` says that all tests were run, not that they pass."""
        tier = self._sandbox.tier
        if (why := complaint(files)) is not None:
            return refused(why, "files", tier=tier)
        solution = text if text.strip() else files.get(SOLUTION, "")
        suites = [name for name in files if is_suite(name)]
        if CALLS in files:
            cases = read_cases(files[CALLS])
            if isinstance(cases, str):
                return replace(refused(cases, tier=tier), status="error")
            return await self._run_calls(solution, cases, limits)
        if SCRIPT in files or suites:
            return await self._run_files(solution, limits, files, SCRIPT if SCRIPT in files else None)
        why = f"TestsError: there are no tests: {CALLS}, {SCRIPT} or test_*.py in the working directory"
        return replace(refused(why, tier=tier), status="error")

    async def _run_calls(self, solution: str, cases: Sequence[Case], limits: ToolLimits) -> ToolResult:
        seconds = 0.85 * limits.timeout_seconds
        job = {
            "solution": solution,
            "calls": [case.call for case in cases],  # and not what is expected
            "seconds": seconds,
            "seconds_each": max(seconds / 3, seconds / len(cases)),
            "result_bytes": result_bytes(len(cases)),
        }
        return await run_program(
            self._sandbox,
            inside("run_calls"),
            json.dumps(job),
            limits,
            input_limit_bytes=INPUT_BYTES,
            read=lambda stdout: concluded(stdout, lambda lines: judged_calls(cases, lines)),
        )

    async def _run_files(
        self, solution: str, limits: ToolLimits, files: Mapping[str, str], script: str | None
    ) -> ToolResult:
        each = 0.3 * limits.timeout_seconds
        secret: dict[str, Any] = {"seconds_each": each}
        if script is not None:
            secret["script"] = files[script]
        else:
            secret["files"] = {name: text for name, text in files.items() if is_suite(name) or not is_python(name)}
        public = {
            "solution": solution,
            "files": {name: text for name, text in files.items() if name != script and not is_suite(name)},
        }
        data = b"".join(b"%08x" % len(part) + part for part in (json.dumps(one).encode() for one in (public, secret)))
        return await run_program(
            self._sandbox,
            inside("run_tests"),
            data,
            limits,
            input_limit_bytes=INPUT_BYTES,
            read=lambda stdout: concluded(stdout, judged_files),
        )


def is_python(name: str) -> bool:
    """Python, or what configures a test run."""
    return name.endswith((".py", ".ini", ".toml", ".cfg"))


def result_bytes(tests: int) -> int:
    """How much of the result of each test comes back."""
    return min(1 << 16, 800_000 // tests)


def read_cases(text: str) -> list[Case] | str:
    """The cases of a `tests.json`, or why it is none in one line. Pure; never raises."""
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"TestsError: {CALLS} is not JSON: {error}"
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_TESTS:
        return f"TestsError: {CALLS} must be a list of 1 to {MAX_TESTS} tests"
    cases = []
    for number, one in enumerate(listed, 1):
        values = [one.get(key) for key in ("call", "expect", "raises")] if isinstance(one, dict) else [None] * 3
        call, expect, raises = values
        right = isinstance(raises if expect is None else expect, str)
        if (
            not isinstance(call, str)
            or not right
            or any(isinstance(value, str) and len(value) > MAX_CHARACTERS for value in values)
        ):
            return f'TestsError: test {number} of {CALLS} must be like {{"call": "f(2)", "expect": "4"}}'
        cases.append(Case(call, expect, raises))
    return cases


def judged_calls(cases: Sequence[Case], lines: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """Compare what came back with what is expected. Pure; `lines` are hostile."""
    answers: dict[int, Mapping[str, Any]] = {}
    for line in lines:
        number = line.get("number")
        if isinstance(number, int) and number not in answers:
            answers[number] = line
    most = result_bytes(len(cases))
    return [_judged(case, answers.get(number, {"ended": "no result"}), most) for number, case in enumerate(cases)]


def _judged(case: Case, answer: Mapping[str, Any], most_bytes: int) -> Outcome:
    try:
        expected = None if case.expect is None else read_expected(case.expect, most_bytes)
    except UnreadableExpectation as error:  # whatever the solution gave: nobody knows whether it is right
        return Outcome(case.call, False, f"{UNJUDGED}: what is expected, {one_line(str(case.expect), 60)}, {error}")
    raised = answer.get("raised")
    if isinstance(raised, str):
        name = raised.partition(":")[0]
        right = case.raises is not None and name == case.raises
        return Outcome(case.call, right, "" if right else raised if name.isidentifier() else f"Error: {raised}")
    if "value" not in answer:
        return Outcome(case.call, False, str(answer.get("ended", "no result")))
    try:
        value = decode(answer["value"])
        if case.expect is None:
            return Outcome(case.call, False, f"gives {_short(value)}, and does not raise {case.raises}")
        if same(value, expected):
            return Outcome(case.call, True, leaned=("operators in the call",) if has_operators(case.call) else ())
    except (NotPlain, MemoryError, RecursionError) as error:
        return Outcome(case.call, False, f"{type(error).__name__}: {error}")
    return Outcome(case.call, False, f"gives {_short(value)}, not {case.expect}")


def has_operators(call: str) -> bool:
    """Whether an operator stands between a result of the solution and something else, as in `f(2) == 4`: it is worked
    out where the solution is, by what the solution gave."""
    try:
        nodes = list(ast.walk(ast.parse(call.strip(), mode="eval")))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    operators = [node for node in nodes if isinstance(node, ast.Compare | ast.BinOp | ast.BoolOp)]
    return any(isinstance(inner, ast.Call) for node in operators for inner in ast.walk(node))


def _short(value: object) -> str:
    try:
        return repr(value)[:WHY_CHARACTERS]
    except (ValueError, RecursionError) as error:  # an integer of too many digits
        return f"({error})"


def judged_files(lines: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """The tests that were found, each with its outcome; one without an outcome is not passed."""
    tests = [str(name) for line in lines for name in line.get("tests") or ()]
    outcomes = {str(line["test"]): line for line in lines if "test" in line}
    missing: Mapping[str, Any] = {"outcome": "failed", "why": "no outcome"}
    found = [(name, outcomes.get(name, missing)) for name in tests]
    return [
        Outcome(name, one.get("outcome") == "passed", str(one.get("why", "")), tuple(map(str, one.get("leaned", ()))))
        for name, one in found
    ]


def concluded(
    stdout: bytes, judge: Callable[[Sequence[Mapping[str, Any]]], Sequence[Outcome]]
) -> tuple[ToolStatus, str]:
    """Status and output from what the run reported."""
    lines = read_lines(stdout)
    broken = next((line["error"] for line in lines if "error" in line), None)
    if broken is not None:
        return "error", f"TestsError: {one_line(str(broken))}"
    if not any(line.get("done") is True for line in lines):
        return "error", "TestsError: the tests did not come to their end"
    return "ok", shown(judge(lines))


def read_lines(stdout: bytes) -> list[Mapping[str, Any]]:
    """The JSON objects, one a line; what is none is left out."""
    found: list[Mapping[str, Any]] = []
    for line in stdout.splitlines():
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def shown(outcomes: Sequence[Outcome]) -> str:
    """`P of N passed`, then a line for each test that did not."""
    failed = [one for one in outcomes if not one.passed]
    lines = [f"{len(outcomes) - len(failed)} of {len(outcomes)} passed"]
    lines += [f"{one_line(one.test)}: {one_line(one.why)}" for one in failed[:SHOWN]]
    if len(failed) > SHOWN:
        lines.append(f"… and {len(failed) - SHOWN} more")
    bent = [one for one in outcomes if one.passed and one.leaned]
    if bent:
        words = ", ".join(sorted({word for one in bent for word in one.leaned}))
        lines.append(
            one_line(f"note: {len(bent)} passed by what the solution's own objects say ({words}), which may lie")
        )
    return "\n".join(lines)
