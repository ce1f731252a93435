"""What one call may use, and how that becomes rlimits."""

import math
import resource
from dataclasses import dataclass

from agent0es.sandbox.seccomp import LISTENER_BY

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """Bounds on one call."""

    timeout_seconds: float = 5.0
    """Wall clock, after which everything in the call is killed."""
    memory_limit_mb: int = 512
    """Memory of all processes together, looked at 40 times a second; and address space of each."""
    output_limit_bytes: int = 4096
    """Kept of standard output and of standard error, each."""
    output_kill_bytes: int = MIB
    """A command that writes more than this to either is killed: to read on would cost us more than the command."""
    file_limit_mb: int = 16
    """Size of one file, and of the whole private /tmp."""
    files: int = 1024
    """Files and folders in /tmp."""
    processes: int = 32
    """Processes and threads."""
    open_files: int = 64
    """File descriptors of each process, 255 at most."""

    def __post_init__(self) -> None:
        if not 0 < self.open_files <= LISTENER_BY:
            raise ValueError(f"open_files: {self.open_files} is not between 1 and {LISTENER_BY}")

    def rlimits(self) -> list[tuple[int, int]]:
        """(resource, bound) pairs; the bound is soft and hard at once, so that nothing inside can raise it."""
        # One second above the wall limit: wall time decides, CPU time catches what is left without a parent.
        return [
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_CPU, math.ceil(self.timeout_seconds) + 1),
            (resource.RLIMIT_FSIZE, self.file_limit_mb * MIB),
            (resource.RLIMIT_NOFILE, self.open_files),
            (resource.RLIMIT_NPROC, self.processes),
            (resource.RLIMIT_MEMLOCK, 0),
            (resource.RLIMIT_SIGPENDING, 256),  # timers too
            (resource.RLIMIT_AS, self.memory_limit_mb * MIB),
        ]
