"""What a student can call: each tool is one class that takes the sandbox, and answers any text with a ToolResult."""

from agent0es.sandbox.programs import program_of
from agent0es.tools.base import NO_FILES, Tool, ToolLimits, ToolResult, ToolStatus
from agent0es.tools.program import run_program
from agent0es.tools.registry import VERIFIER_TOOLS, load_tools

__all__ = [
    "NO_FILES",
    "VERIFIER_TOOLS",
    "Tool",
    "ToolLimits",
    "ToolResult",
    "ToolStatus",
    "load_tools",
    "program_of",
    "run_program",
]
