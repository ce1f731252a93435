"""What every tool offers to a student, and what comes back."""

from dataclasses import dataclass
from typing import Literal, Protocol

ToolStatus = Literal["ok", "error", "timeout", "denied", "limit"]


@dataclass(frozen=True, slots=True)
class ToolLimits:
    """Bounds on one call."""

    timeout_seconds: float = 5.0
    """Wall clock."""
    memory_limit_mb: int = 512
    """Address space of each process in the call."""
    output_limit_bytes: int = 4096
    """What is kept of standard output and standard error, each; capped while streaming."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """How a call ended. Everything in it came out of the sandbox as data."""

    status: ToolStatus
    """ok; error: the code raised; timeout; denied: refused before or by the sandbox; limit: out of memory or output."""
    output: str
    """What the model reads: the printed text, the value, or one line of error."""
    exit_code: int | None
    """Exit status; negative is a signal; None when nothing was started."""
    stdout_bytes: int
    stderr_bytes: int
    wall_seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    tier: str
    """The isolation that held, e.g. `bubblewrap`."""


class Tool(Protocol):
    """A thing that a student can call by writing `Action: name[input]`."""

    name: str
    description: str
    """The one line that a prompt shows."""

    async def run(self, text: str, limits: ToolLimits) -> ToolResult:
        """Run one call. Never raises for what the model wrote; the failure is the result."""
        ...
