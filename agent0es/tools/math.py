"""The tool that does mathematics."""

from collections.abc import Mapping
from typing import Any

from agent0es.sandbox import Sandbox
from agent0es.tools.base import NO_FILES, ToolLimits, ToolResult
from agent0es.tools.program import inside, run_on_text


class MathTool:
    """`math[solve(x^2 - 4, x)]`: SymPy with the usual symbols, in the sandbox. Exact; `decimal(…, 20)` for digits."""

    name = "math"
    description = (
        "evaluates mathematics with SymPy, as text or LaTeX: simplify, expand, factor, solve(x^2 = 4, x), "
        "solve([x + y = 3, x - y = 1], [x, y]), diff, integrate(sin(x), (x, 0, pi)), limit, series, det(Matrix(…)), "
        "solve(x^2 < 4, x), convert(5 km/h, m/s); exact, or decimal(sqrt(2), 20)"
    )
    schema: Mapping[str, Any] = {
        "type": "string",
        "description": "an expression, an equation or LaTeX",
        "maxLength": 20000,
    }
    allowed: tuple[str, ...] = ()

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def run(self, text: str, limits: ToolLimits, files: Mapping[str, str] = NO_FILES) -> ToolResult:
        """Errors are one line of output with status `error`; what is no mathematics is `denied`."""
        return await run_on_text(self._sandbox, inside("evaluate_math"), text.strip(), limits.allow, limits)
