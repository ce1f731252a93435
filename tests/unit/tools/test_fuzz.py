"""Whatever a model writes, each tool answers with a result: malformed Unicode, huge, nested, binary, and near misses.

200 inputs a tool in the suite. For the full count: `FUZZ_EXAMPLES=10000 pytest tests/unit/tools/test_fuzz.py`.
`math` is fuzzed many inputs to a sandbox call: each in a process forked after SymPy's import, as a warm worker does it,
with the tool's own program, and its own time limit.
"""

import asyncio
import json
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from agent0es.domain.program import Program
from agent0es.tools import ToolLimits, ToolResult, run_program
from agent0es.tools.base import Tool
from agent0es.tools.plan import PlanError, PlanTool, parse
from agent0es.tools.program import inside
from agent0es.tools.python import PythonTool
from agent0es.tools.shell import ShellTool
from agent0es.tools.tests import TestsTool
from tests.unit.tools.sandboxes import needs_sandbox, real

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "200"))
BATCH = 100
LIMITS = ToolLimits(timeout_seconds=1, steps={"python": ToolLimits(timeout_seconds=3), "shell": ToolLimits()})
pytestmark = needs_sandbox

PIECES = [
    *"x 1 2.5 ( ) [ ] { } + - * / ^ = == < , . : ' \" \\ | solve factor Matrix lambda print cat -n *.txt find".split(),
    *"grep $ ` ; & > \\frac \\int dx assert __import__ else 0x 1e999 ${a} é 😀 \ud800 \u202e".split(),
    *("\n", "\t", " ", "import os", "def f():", "while True:", "\x00", "\x1b[2J", "9" * 30, "a = python["),
    *('{"steps": [', '{"tool": "python", "input": "1"}'),
]
SHAPED = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
ANY = st.text(st.characters(), max_size=60)
BINARY = st.binary(max_size=80).map(lambda data: data.decode("utf-8", "surrogateescape"))
NESTED = st.tuples(st.sampled_from("([{-'~"), st.integers(1, 3000)).map(lambda pair: pair[0] * pair[1])
HUGE = st.tuples(st.sampled_from(PIECES), st.integers(1000, 40_000)).map(lambda pair: pair[0] * pair[1])
INPUTS = st.one_of(SHAPED, SHAPED, ANY, BINARY, NESTED, HUGE)
FILES = {"a.txt": "b\na\n", "d/e.txt": "1,2\n", "tests.json": '[{"call": "f(1)", "expect": "1"}]'}


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    one = asyncio.new_event_loop()
    yield one
    one.close()


@pytest.fixture(scope="module")
def tools(loop: asyncio.AbstractEventLoop) -> Iterator[dict[str, Tool]]:
    sandbox = real()
    python, shell = PythonTool(sandbox), ShellTool(sandbox)
    made: dict[str, Tool] = {"python": python, "shell": shell, "tests": TestsTool(sandbox)}
    yield made | {"plan": PlanTool(sandbox, made)}
    loop.run_until_complete(sandbox.close())


def fuzzed(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        database=None,
    )


def is_a_result(result: ToolResult) -> bool:
    """What can be written into the log and read by a model."""
    result.output.encode()
    for text in (result.stdout, result.stderr, *result.denied):
        (text or "").encode()
    return bool(result.output) and result.status in ("ok", "error", "timeout", "denied", "limit")


@pytest.mark.parametrize("name", ["python", "shell", "plan", "tests"])
def test_a_tool_always_answers(loop: asyncio.AbstractEventLoop, tools: dict[str, Tool], name: str) -> None:
    seen: list[str] = []

    @seed(1)
    @fuzzed(max(1, EXAMPLES // 8))
    @given(st.lists(INPUTS, min_size=8, max_size=8))
    def check(texts: list[str]) -> None:
        async def all_of_them() -> list[ToolResult]:
            calls = [tools[name].run(text, LIMITS, FILES) for text in texts]
            return await asyncio.wait_for(asyncio.gather(*calls), 300)

        results = loop.run_until_complete(all_of_them())
        seen.extend(result.status for result in results)
        assert all(map(is_a_result, results))

    check()
    assert len(seen) >= EXAMPLES // 2
    assert name == "tests" or {"error", "denied"} & set(seen), "tests that fail are no failure of the tool"


HARNESS = """
import io, json, os, select, signal, sys, time
from agent0es.tools.inside.evaluate_math import main as one

def main():
    for text in json.loads(sys.stdin.buffer.read()):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.dup2(writing, 1)
            sys.stdin = io.TextIOWrapper(io.BytesIO(json.dumps({"text": text, "allowed": None}).encode()))
            sys.stdout = io.TextIOWrapper(open(1, "wb", closefd=False))
            try:
                one()
                sys.stdout.flush()
            except BaseException:
                os._exit(1)
            os._exit(0)
        os.close(writing)
        end, status = time.monotonic() + 2, None
        while status is None and time.monotonic() < end:
            if select.select([reading], [], [], 0.05)[0] and not os.read(reading, 65536):
                status = os.waitpid(pid, 0)[1]
        if status is None:
            os.kill(pid, signal.SIGKILL)
            status = os.waitpid(pid, 0)[1]
        os.close(reading)
        print(os.waitstatus_to_exitcode(status))
"""


def test_math_always_answers(loop: asyncio.AbstractEventLoop) -> None:
    """The tool's program ends by itself, with a value or an error, or is stopped at its limit; it never crashes."""
    sandbox = real()
    program = Program(name="many", source=json.dumps({**inside("evaluate_math").modules, "many": HARNESS}))
    codes: list[int] = []

    @seed(1)
    @fuzzed(max(1, EXAMPLES // BATCH))
    @given(st.lists(INPUTS, min_size=BATCH, max_size=BATCH))
    def check(texts: list[str]) -> None:
        data = json.dumps(texts)
        limits = ToolLimits(timeout_seconds=250, output_limit_bytes=100_000)
        result = loop.run_until_complete(run_program(sandbox, program, data, limits, input_limit_bytes=64 << 20))
        assert result.status == "ok", result.output
        codes.extend(map(int, result.output.split()))

    try:
        check()
    finally:
        loop.run_until_complete(sandbox.close())
    assert len(codes) >= EXAMPLES - BATCH
    assert set(codes) <= {0, 1, -9}, "only a stop at the limit ends it by a signal"
    assert {0, 1} <= set(codes)


@seed(1)
@fuzzed(EXAMPLES)
@given(INPUTS)
def test_a_plan_is_read_or_refused_in_a_line(text: str) -> None:
    try:
        assert parse(text).steps
    except PlanError as error:
        assert "\n" not in str(error)
