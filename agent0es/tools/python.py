"""The tool that runs Python."""

import textwrap
from functools import cache
from pathlib import Path

from agent0es.sandbox import Sandbox
from agent0es.tools.base import ToolLimits, ToolResult
from agent0es.tools.program import run_program


class PythonTool:
    """`python[17*25]`: an expression or a program, in a fresh interpreter in the sandbox. Calls share nothing."""

    name = "python"
    description = "runs Python code and shows what it prints, or the value of its last expression"

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def run(self, text: str, limits: ToolLimits) -> ToolResult:
        """Errors of the code are one line of output with status `error`, e.g. `NameError: name 'f' is not defined`."""
        return await run_program(self._sandbox, _program(), textwrap.dedent(text).strip(), limits)


@cache
def _program() -> str:
    return Path(__file__).with_name("inside").joinpath("evaluate_python.py").read_text(encoding="utf-8")
