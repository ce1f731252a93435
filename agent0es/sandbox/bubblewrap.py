"""The bubblewrap tier: every call in fresh namespaces, with a file system of its own that holds almost nothing.

What is inside: the base interpreter, the system's shared libraries, SymPy and mpmath, all read-only; /dev/null and
/dev/urandom; a procfs that shows the call's own processes; a sized, private /tmp. No network, no environment, no home,
no privilege, and none of the system calls in `seccomp.py`. What this tier does *not* do: allow system calls by list,
bound the memory of a call's processes taken together, or bound the number of (empty) files in /tmp except by time.
"""

import asyncio
import marshal
import os
from functools import lru_cache
from pathlib import Path
from types import CodeType

from agent0es.errors import SandboxUnavailable
from agent0es.sandbox import seccomp
from agent0es.sandbox.base import SandboxCommand, SandboxResult
from agent0es.sandbox.limits import MIB, SandboxLimits
from agent0es.sandbox.probing import Plan, probe
from agent0es.sandbox.process import SandboxProcess

# The payload's length, then the payload; what follows on standard input is the command's own.
BOOT = (
    "import posix,marshal;launcher,settings,program=marshal.loads(posix.read(0,int(posix.read(0,8),16)));"
    "exec(launcher,{'settings':settings,'program':program,'__builtins__':__builtins__})"
)
ENVIRONMENT = {"HOME": "/tmp", "PATH": "/usr/bin:/bin", "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "TZ": "UTC"}
"""All of it. The fixed hash seed makes the order of a set, and so a tool's output, the same in every call."""


FILTER = seccomp.program()


class BubblewrapSandbox:
    """Runs each command in a bubblewrap of its own, at most `places` side by side."""

    tier = "bubblewrap"

    def __init__(self, plan: Plan | None = None, places: int | None = None) -> None:
        """Probes the machine unless a plan is given. Raises SandboxUnavailable, saying what to install or change."""
        if plan is None:
            report = probe()
            if report.plan is None:
                raise SandboxUnavailable(report.detail)
            plan = report.plan
        self._plan = plan
        count = places or min(len(os.sched_getaffinity(0)), 64)
        self._count = count
        self._free = list(range(count))
        self._places = asyncio.Semaphore(count)
        self._running: set[SandboxProcess] = set()
        self._closed = False

    async def run(self, command: SandboxCommand) -> SandboxResult:
        """Run to its end, or kill it. A cancelled call has left nothing behind when the cancellation is raised."""
        async with self._places:
            if self._closed:
                raise SandboxUnavailable("the sandbox is closed")
            place = self._free.pop()
            try:
                return await self._run(command, place)
            finally:
                self._free.append(place)

    async def _run(self, command: SandboxCommand, place: int) -> SandboxResult:
        process = SandboxProcess(
            arguments(self._plan, command.limits),
            payload(command, self._plan, place),
            FILTER,
            command.limits,
            self._plan.uid(place) if self._plan.mode == "dropped" else None,
        )
        self._running.add(process)
        try:
            result = await process.finish(self.tier)
            if self._closed:
                raise SandboxUnavailable("the sandbox was closed in the middle of a call")  # not a timeout of the call
            return result
        finally:
            self._running.discard(process)
            process.discard()

    async def close(self) -> None:
        """Kill what still runs, and return when it is gone. Calls that were running or waiting raise."""
        self._closed = True
        for process in tuple(self._running):
            process.kill()
        for _ in range(self._count):  # all places free: nothing runs
            await self._places.acquire()
        for _ in range(self._count):
            self._places.release()


def arguments(plan: Plan, limits: SandboxLimits) -> list[str]:
    """The command line. Bubblewrap obeys its arguments in order: the root is made read-only last."""
    line = [str(plan.bwrap), "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    if plan.mode == "root":
        # Real root needs no user namespace; the launcher turns these two capabilities into an unprivileged uid.
        line += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        line += ["--unshare-user", "--disable-userns", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"]
    # As pid 1 the command is bubblewrap's own child: bubblewrap ends only after everything inside is dead and counted.
    line += ["--as-pid-1", "--die-with-parent", "--new-session", "--hostname", "sandbox", "--clearenv"]
    for name, value in ENVIRONMENT.items():
        line += ["--setenv", name, value]
    for folder in plan.folders():
        line += ["--perms", "0755", "--dir", folder]  # else bubblewrap makes /root with the 0700 that it has outside
    for source, target in plan.binds:
        line += ["--ro-bind", source, target]
    for target, name in plan.links:
        line += ["--symlink", target, name]
    for device in ("/dev/null", "/dev/urandom"):
        line += ["--dev-bind", device, device]
    if plan.proc:
        line += ["--proc", "/proc"]
    line += ["--perms", "1777", "--size", str(limits.file_limit_mb * MIB), "--tmpfs", "/tmp", "--chdir", "/tmp"]
    line += ["--remount-ro", "/", "--json-status-fd", "{status}"]
    line += ["--seccomp", "{seccomp}", "--"] if FILTER else ["--"]
    # -s -S -P -B: nothing but the interpreter itself on sys.path. Not -I, which would ignore PYTHONHASHSEED.
    return [*line, plan.interpreter, "-s", "-S", "-P", "-B", "-c", BOOT]


def payload(command: SandboxCommand, plan: Plan, place: int) -> bytes:
    """Standard input: the launcher and its settings, the program, then what the command itself is to read."""
    uid = plan.uid(place) if plan.mode == "root" else None
    settings = {"uid": uid, "rlimits": command.limits.rlimits(), "argv": list(command.argv)}
    program = _compiled(command.program) if command.program else None
    # The interpreter inside is the one that runs us, so marshal and code objects fit.
    body = marshal.dumps((_launcher(), settings, program))
    return b"%08x" % len(body) + body + command.stdin


@lru_cache(maxsize=1)
def _launcher() -> CodeType:
    text = Path(__file__).with_name("launcher.py").read_text(encoding="utf-8")
    return compile(text, "<launcher>", "exec", optimize=2)


@lru_cache(maxsize=64)
def _compiled(program: str) -> CodeType:
    return compile(program, "<program>", "exec", optimize=2)
