"""The port: a command goes in, data comes out, nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from agent0es.domain.program import Program
from agent0es.errors import TransientError
from agent0es.sandbox.limits import SandboxLimits

Ending = Literal["exited", "timeout", "output", "memory", "processes", "disk"]


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that the command left."""

    path: str
    """Of a name that is not UTF-8 the bytes are escaped (`\\udcff`), and the file is not among those handed back. Other
    names may hold anything, control characters too: escape them where they are shown."""
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SandboxCommand:
    """What to run: either `argv` or `program`.

    `program` is trusted Python that runs in the sandbox's own interpreter, which saves a second start of Python.
    Hostile text goes into `stdin`: the program reads it with `sys.stdin.buffer.read()`.
    """

    program: Program | str = ""
    """Modules (`programs.program_of`), or a text that is run as `__main__`."""
    argv: tuple[str, ...] = ()
    """Absolute path, as seen from inside, and arguments."""
    stdin: bytes = b""
    limits: SandboxLimits = field(default_factory=SandboxLimits)
    files: Mapping[str, bytes] = field(default_factory=dict)
    """The working directory at the start: relative path to content."""
    collect: bool = False
    """Whether the working directory is handed back."""
    preload: tuple[str, ...] = ()
    """Modules that `program` imports: a worker that has loaded them already is used, which saves their start."""

    def __post_init__(self) -> None:
        for path in self.files:
            if not path or path.startswith("/") or "\0" in path or ".." in path.split("/") or len(path) > 512:
                raise ValueError(f"{path[:80]!r} is not a path inside a working directory")
        if bool(self.program) == bool(self.argv):
            raise ValueError("a sandbox command needs a program or an argv, and not both")


@dataclass(frozen=True, slots=True)
class SandboxResult:
    """How a command ended. `ending`, `exit_code`, the counts and the times are seen from outside; the rest is data."""

    ending: Ending
    """exited: by itself or by a signal; else the limit for which it was killed: timeout (wall clock), output (length),
    memory (of all its processes together), processes, disk."""
    exit_code: int
    """Exit status; negative is the signal that killed it. A program can fake -n by exiting with 128 + n."""
    stdout: bytes
    """The first bytes, up to the limit."""
    stderr: bytes
    """The last bytes, up to the limit: the line that says what went wrong comes last."""
    stdout_bytes: int
    """How many were read in all, kept or not."""
    stderr_bytes: int
    wall_seconds: float
    """From the start of the process; waiting for a free place is not in it."""
    cpu_seconds: float
    """User and system time, start-up of the sandbox included. Too small for a call that was killed: the kernel does not
    add up what dies together with its namespace."""
    tier: str
    peak_memory_mb: float = 0.0
    """The most that was seen: of all processes together when looked at, of the largest one at the end."""
    denied: tuple[str, ...] = ()
    """What was refused, as far as the kernel tells: `network`, `file`, `system call ptrace`, `limit: memory`."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """With `collect`: the regular files of the working directory afterwards."""
    written: tuple[WrittenFile, ...] = ()
    """Files that are new or changed, 64 at most."""


class SandboxLost(TransientError):
    """The call's worker or supervisor was killed, is stopped, or does not answer. The next call gets a new one."""


class Sandbox(Protocol):
    """Runs commands that may do their worst."""

    @property
    def tier(self) -> str:
        """The isolation that holds, as written into events."""
        ...

    async def run(self, command: SandboxCommand) -> SandboxResult:
        """Run to its end, or kill it. Raises TransientError when the machine, not the command, is at fault."""
        ...

    async def close(self) -> None:
        """Kill what still runs. The sandbox takes no commands afterwards."""
        ...
