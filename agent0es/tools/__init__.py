"""What a student can call: each tool is one class that takes the sandbox, and answers any text with a ToolResult."""

from agent0es.tools.base import Tool, ToolLimits, ToolResult, ToolStatus
from agent0es.tools.program import run_program
from agent0es.tools.registry import VERIFIER_TOOLS, load_tools

__all__ = ["VERIFIER_TOOLS", "Tool", "ToolLimits", "ToolResult", "ToolStatus", "load_tools", "run_program"]
