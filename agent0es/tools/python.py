"""The tool that runs Python."""

import re
import textwrap
from collections.abc import Mapping
from typing import Any

from agent0es.configuration import PYTHON_MODULES
from agent0es.sandbox import Sandbox
from agent0es.tools.base import NO_FILES, ToolLimits, ToolResult
from agent0es.tools.program import inside, run_on_text

SYMPY = re.compile(
    r"\b(?:sympy|Eq|Matrix|Rational|Symbol|diff|expand|factor|integrate|limit|simplify|solve|symbols|[xyz])\b"
)
"""What stands for SymPy without an import; a worker that has it already is slower to fork for what needs none."""


class PythonTool:
    """`python[17*25]`: an expression or a program, in the sandbox. Calls share nothing but the working directory."""

    name = "python"
    description = "runs Python code and shows what it prints, or the value of its last expression"
    schema: Mapping[str, Any] = {"type": "string", "description": "an expression or a program"}
    allowed: tuple[str, ...] = ()
    """Whatever the sandbox can import may be allowed; by default it is `PYTHON_MODULES`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def run(self, text: str, limits: ToolLimits, files: Mapping[str, str] = NO_FILES) -> ToolResult:
        """Errors of the code are one line of output with status `error`, e.g. `NameError: name 'f' is not defined`; an
        import of a module that is not on the list is `denied`."""
        allowed = PYTHON_MODULES if limits.allow is None else limits.allow
        code = textwrap.dedent(text).strip()
        preload = ("sympy",) if SYMPY.search(code) else ()
        program = inside("evaluate_python")
        return await run_on_text(self._sandbox, program, code, allowed, limits, files=files, preload=preload)
