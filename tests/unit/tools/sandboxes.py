"""Sandboxes for tests: the real one where the machine has it, and one that answers what it is told."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from agent0es.sandbox import Sandbox, SandboxCommand, SandboxResult, open_sandbox, probe
from agent0es.tools import Tool, ToolLimits, ToolResult

REPORT = probe()
needs_sandbox = pytest.mark.skipif(REPORT.tier is None, reason=REPORT.detail)
LIMITS = ToolLimits(timeout_seconds=20)


class Told:
    """Answers every command with the same result, and remembers the last one."""

    tier = "told"

    def __init__(self, **result: Any) -> None:
        ended = {"ending": "exited", "exit_code": 0, "stdout": b"", "stderr": b"", "tier": "told", **result}
        sizes = {"stdout_bytes": len(ended["stdout"]), "stderr_bytes": len(ended["stderr"])}
        self._result = SandboxResult(**{**sizes, "wall_seconds": 0.1, "cpu_seconds": 0.1, **ended})
        self.command: SandboxCommand | None = None

    async def run(self, command: SandboxCommand) -> SandboxResult:
        self.command = command
        return self._result

    async def close(self) -> None:
        pass


def real() -> Sandbox:
    """To be closed in the loop that it was used in."""
    return open_sandbox()


def call(tool: Tool, text: str, files: Mapping[str, str] | None = None, limits: ToolLimits = LIMITS) -> ToolResult:
    """One call in a loop of its own; the tool's sandbox must be new."""
    return asyncio.run(tool.run(text, limits, files or {}))
