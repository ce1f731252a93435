"""A zygote as seen from outside: started when it is first needed, asked over a socket, gone when we are."""

import array
import asyncio
import contextlib
import fcntl
import marshal
import os
import platform
import secrets
import signal
import socket
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

from agent0es.domain.program import Program
from agent0es.errors import SandboxUnavailable
from agent0es.sandbox import seccomp
from agent0es.sandbox.base import SandboxCommand, SandboxLost, SandboxResult
from agent0es.sandbox.calls import Call
from agent0es.sandbox.inside.settings import Asked, Modules, Settings
from agent0es.sandbox.programs import program_of
from agent0es.sandbox.tiers import ENVIRONMENT, Tier

START_SECONDS = 60.0
"""Importing SymPy takes 1 s on an idle machine."""
KILLED = 128 + signal.SIGKILL
"""Exit status of a guard whose worker was killed."""
LOAD = (
    "for name,code in modules:\n"
    " module=sys.modules[name]=types.ModuleType(name);exec(code,module.__dict__)\n"
    " above,_,last=name.rpartition('.');setattr(sys.modules.setdefault(above,types.ModuleType(above)),last,module)\n"
)
"""Makes modules of their names and codes."""
BOOT = (
    "# agent0es: worker\nimport os,marshal,sys,types\n"
    "n=int(os.read(0,8),16);b=b''\nwhile len(b)<n:b+=os.read(0,n-len(b))\n"
    f"first,modules,settings,number=marshal.loads(b)\n{LOAD}main=sys.modules[first].main\n"
    "for name in [*sys.modules]:\n if name.startswith(first.partition('.')[0]):del sys.modules[name]\n"
    "main(settings,number)"
)
GUARD = (
    f"# agent0es: guard\nimport marshal,sys,types\nfirst,modules=marshal.loads(bytes.fromhex(sys.argv[1]))\n{LOAD}"
    "sys.modules[first].main(int(sys.argv[2]),sys.argv[3],sys.argv[4:])"
)


class Zygote:
    """One warm process with the same modules imported for all its calls."""

    def __init__(self, tier: Tier, preload: tuple[str, ...]) -> None:
        self._tier = tier
        self._preload = preload
        self._guard: subprocess.Popen[bytes] | None = None
        self._ending: list[subprocess.Popen[bytes]] = []
        self._requests: socket.socket | None = None
        self._lifeline = -1
        self._starting = asyncio.Lock()

    async def run(self, command: SandboxCommand, uid: int | None) -> SandboxResult:
        """One call. Raises TransientError when the zygote, not the call, is at fault; a lost one is replaced."""
        request: Asked = {
            "uid": uid,
            "program": _compiled(command.program) if command.program else None,
            "argv": list(command.argv),
            "files": dict(command.files),
            "collect": command.collect,
            "rlimits": command.limits.rlimits(),
            "timeout_seconds": command.limits.timeout_seconds,
            "memory_bytes": command.limits.memory_limit_mb << 20,
            "processes": command.limits.processes,
            "disk_bytes": command.limits.file_limit_mb << 20,
            "inodes": command.limits.files,
        }
        requests = await self._started()
        call = Call(command, self._tier.name)
        with contextlib.ExitStack() as given:
            sent = [memory_file(_dumped(request)), memory_file(command.stdin), *call.ends]
            for number in sent:
                given.callback(os.close, number)
            try:
                if not self._hand_over(requests, sent):  # it was killed since the last call; what was sent, nobody read
                    self._hang_up()
                    requests = await self._started()
                    if not self._hand_over(requests, sent):
                        raise SandboxLost("the sandbox's worker was killed as soon as it had started")
            except BaseException:
                call.forget()
                raise
        try:
            return await call.finish()
        except SandboxLost:
            await self._give_up(requests)  # first, so that the call is surely dead when it is discarded
            raise
        finally:
            if not call.discard():
                await self._give_up(requests)

    @staticmethod
    def _hand_over(requests: socket.socket, numbers: list[int]) -> bool:
        """Whether a request could be put before the zygote."""
        try:
            requests.sendmsg([b"r"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", numbers))])
        except OSError:
            return False
        return True

    async def _started(self) -> socket.socket:
        async with self._starting:
            if self._guard is not None and self._guard.poll() is not None:
                await self.close()  # it died; try again
            if self._requests is None:
                self._start()
                assert self._requests is not None
                loop = asyncio.get_running_loop()
                try:
                    async with asyncio.timeout(START_SECONDS):  # Python 3.11's wait_for can lose a cancellation
                        word = await loop.sock_recv(self._requests, 16)
                except TimeoutError:
                    await self.close()
                    raise SandboxLost(f"the sandbox's worker did not start within {START_SECONDS:g} s") from None
                if word != b"ready":
                    status, why = await self._last_words()
                    if status == KILLED:
                        raise SandboxLost("the sandbox's worker was killed while it started")
                    raise SandboxUnavailable(f"the sandbox's worker did not start: {why}")
            return self._requests

    def _start(self) -> None:
        tier = self._tier
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        lifeline, self._lifeline = os.pipe2(os.O_CLOEXEC)
        prefix = "" if tier.name == "full" else f"agent0es-call-{secrets.token_hex(6)}-"
        settings: Settings = {
            "tier": tier.name,
            "prefix": prefix,
            "preload": self._preload,
            "packages": dict(tier.packages),
            "readable": list(tier.readable),
            "writable": ["/dev/null"],
            "environment": ENVIRONMENT,
            "proc": tier.proc,
            "may_read": tier.may_read,
            "seccomp": b"" if tier.name == "unsafe" else seccomp.program(tier.name == "kernel"),
            "announce": True,
            "listener_by": seccomp.LISTENER_BY,
            "not_supported": list(seccomp.not_supported()),
            "socketpair": seccomp.SOCKETPAIR.get(platform.machine()),
            "socket_buffer": socket_buffer(),
        }
        body = _dumped((*_inside("zygote"), settings, theirs.fileno()))
        stdin = memory_file(b"%08x" % len(body) + body)
        # -s -S -P -B: nothing but the interpreter itself on sys.path. Not -I, which would ignore PYTHONHASHSEED.
        python = [tier.interpreter, "-s", "-S", "-P", "-B", "-c"]
        guard = [tier.outer_interpreter, *guard_command()]
        try:
            self._guard = subprocess.Popen(
                [*guard, str(lifeline), prefix, *tier.command(), *python, BOOT],
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=ENVIRONMENT,
                cwd="/",
                pass_fds=(lifeline, theirs.fileno()),
                process_group=0,  # Ctrl-C in a terminal is for us, and must not look like a failing sandbox
                user=tier.start_uid,
                group=tier.start_uid,
                extra_groups=None if tier.start_uid is None else [],
            )
        except OSError as error:
            ours.close()
            raise SandboxUnavailable(f"the sandbox's worker could not be started: {error}") from error
        finally:
            for number in (stdin, lifeline):
                os.close(number)
            theirs.close()
        self._requests = ours

    async def _last_words(self) -> tuple[int, str]:
        """(exit status, what it has said) of a worker that did not come up."""
        guard = self._guard
        self._hang_up()
        if guard is None or guard.stderr is None:
            return 0, "it could not be started"
        said = await asyncio.to_thread(guard.stderr.read)
        await self._reap()
        words = " ".join(said.decode("utf-8", "replace").split())[-400:]
        return guard.returncode, words or f"exit status {guard.returncode}"

    async def _give_up(self, requests: socket.socket) -> None:
        """End the worker that was asked through this socket, unless another one has taken its place by now."""
        if self._requests is requests:
            self._hang_up()
        await self._reap()

    def _hang_up(self) -> None:
        """Everything beneath dies."""
        if self._requests is not None:
            self._requests.close()
            self._requests = None
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.send_signal(signal.SIGCONT)  # one that somebody has stopped would never hear it
            self._ending.append(guard)

    async def _reap(self) -> None:
        """Wait until it is dead."""
        for guard in tuple(self._ending):
            await asyncio.to_thread(guard.wait)
            if guard.stderr is not None:
                guard.stderr.close()
            with contextlib.suppress(ValueError):  # another call has waited for it too
                self._ending.remove(guard)

    async def close(self) -> None:
        """Hang up, and return when everything beneath is dead."""
        self._hang_up()
        await self._reap()

    def __del__(self) -> None:
        if self._requests is not None:
            self._requests.close()
        if self._lifeline >= 0:
            with contextlib.suppress(OSError):
                os.close(self._lifeline)


def memory_file(content: bytes) -> int:
    """A descriptor on exactly this, at its start, that nobody can change any more."""
    fd = os.memfd_create("agent0es", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(fd, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL)
    return fd


def socket_buffer() -> int:
    """Bytes that may wait in a socket from which nobody reads, as long as its buffer is not made larger."""
    try:
        return int(Path("/proc/sys/net/core/wmem_default").read_text())
    except OSError:
        return 212992  # the kernel's own


def guard_command() -> list[str]:
    """The guard, as an interpreter's arguments; a lifeline, a prefix and the worker's own command follow."""
    return ["-I", "-S", "-c", GUARD, _dumped(_inside("guard")).hex()]


def _dumped(value: Any) -> bytes:
    """What a bare interpreter of the same version reads without importing anything."""
    return marshal.dumps(value)


def _inside(name: str) -> tuple[str, Modules]:
    return _compiled(program_of(f"agent0es.sandbox.inside.{name}"))


@lru_cache(maxsize=64)
def _compiled(program: Program | str) -> tuple[str, Modules]:
    """(name of the module that begins, each module's name and code in the order in which they are run)."""
    if isinstance(program, str):
        return "__main__", [("__main__", compile(program, "<program>", "exec", optimize=2))]
    modules = program.modules.items()
    return program.name, [(name, compile(text, f"<{name}>", "exec", optimize=2)) for name, text in modules]
