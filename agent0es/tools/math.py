"""The tool that does mathematics."""

from functools import cache
from pathlib import Path

from agent0es.sandbox import Sandbox
from agent0es.tools.base import ToolLimits, ToolResult
from agent0es.tools.program import run_program


class MathTool:
    """`math[solve(x^2 - 4, x)]`: SymPy with the usual symbols, in the sandbox. Exact; 0.3 s for SymPy's start."""

    name = "math"
    description = "evaluates an expression with SymPy, e.g. factor(x^2-1), solve(x^2-4, x), integrate(sin(x), x)"

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def run(self, text: str, limits: ToolLimits) -> ToolResult:
        """Errors are one line of output with status `error`."""
        return await run_program(self._sandbox, _program(), text.strip(), limits)


@cache
def _program() -> str:
    return Path(__file__).with_name("inside").joinpath("evaluate_math.py").read_text(encoding="utf-8")
