"""What every tool offers to a student, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

ToolStatus = Literal["ok", "error", "timeout", "denied", "limit"]
NO_FILES: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class ToolLimits:
    """Bounds on one call, and what of the tool may be used."""

    timeout_seconds: float = 5.0
    """Wall clock."""
    memory_limit_mb: int = 512
    """Address space of each process in the call."""
    output_limit_bytes: int = 4096
    """What the model is shown of the output."""
    allow: tuple[str, ...] | None = None
    """Modules, commands, functions or tools; None for the tool's own list."""
    steps: Mapping[str, "ToolLimits"] = field(default_factory=dict)
    """For `plan`: tool to the limits of one call of it."""


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that a call left in its working directory, new or changed."""

    path: str
    bytes: int
    sha256: str
    text: str | None
    """None where it is no text, or too much to keep: it is gone when the call is over."""


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
    """The isolation that held, e.g. `full`."""
    denied: tuple[str, ...] = ()
    """What was refused, in short words: `network`, `file`, `module socket`, `command sed`."""
    files: Mapping[str, str] | None = None
    """The working directory afterwards; None where it is as before."""
    written: tuple[WrittenFile, ...] = ()
    stdout: str | None = None
    """Standard output for the audit; None where `output` is all of it."""
    stdout_sha256: str | None = None
    """Of all its bytes; None where there were none, and where the call was killed."""
    stderr: str | None = None
    stderr_sha256: str | None = None


class Tool(Protocol):
    """A thing that a student can call by writing `Action: name[input]`."""

    name: str
    description: str
    """The text that a prompt shows."""
    schema: Mapping[str, Any]
    """JSON schema of the input as a structured call gives it, e.g. {"type": "string", "description": …}."""
    allowed: tuple[str, ...]
    """All that `tools.of.NAME.allow` may choose from; empty where there is nothing to choose, or no list of it."""

    async def run(self, text: str, limits: ToolLimits, files: Mapping[str, str] = NO_FILES) -> ToolResult:
        """Run one call in a working directory with these files. Never raises for what the model wrote; the failure is
        the result."""
        ...


def refused(why: str, *denied: str, tier: str = "none") -> ToolResult:
    """The result of a call that was never started."""
    return ToolResult("denied", why, None, 0, 0, 0.0, 0.0, 0.0, tier, denied=denied)
