"""A zygote as seen from outside: started when it is first needed, asked over a socket, gone when we are."""

import array
import asyncio
import contextlib
import fcntl
import json
import marshal
import os
import platform
import secrets
import select
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

from agent0es.errors import SandboxUnavailable, TransientError
from agent0es.sandbox import seccomp
from agent0es.sandbox.base import Ending, SandboxCommand, SandboxLost, SandboxResult, WrittenFile
from agent0es.sandbox.tiers import Tier

CHUNK = 1 << 16
START_SECONDS = 60.0
"""Importing SymPy takes 1 s on an idle machine."""
GRACE_SECONDS = 3.0
"""A supervisor that has not reported so long after the limit counts as lost, and is ended with its worker."""
HANG_UP_SECONDS = 1.0
"""One that has not hung up so long after we have is ended with its worker too; nothing else runs here meanwhile."""
REPORT_BYTES = 1 << 27
KILLED = 128 + signal.SIGKILL
"""Exit status of a guard whose worker was killed."""
BOOT = (
    "import os,marshal,types;n=int(os.read(0,8),16);b=b''\nwhile len(b)<n:b+=os.read(0,n-len(b))\n"
    "modules,zygote_code,names=marshal.loads(b);names.update(__name__='zygote',__builtins__=__builtins__)\n"
    "for name,code in modules:names[name]=types.ModuleType(name);exec(code,names[name].__dict__)\n"
    "exec(zygote_code,names)"
)
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "TZ": "UTC",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
"""The environment, beside HOME and TMPDIR. The fixed hash seed makes the order of a set, and so a tool's output, the
same in every call."""


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
        request = {
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
            sent = [memory_file(marshal.dumps(request)), memory_file(command.stdin), *call.ends]
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
        settings = {
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
        modules = [(name, _inside(name)) for name in ("kernel", "folders")]
        body = marshal.dumps((modules, _inside("zygote"), {"settings": settings, "socket_number": theirs.fileno()}))
        stdin = memory_file(b"%08x" % len(body) + body)
        # -s -S -P -B: nothing but the interpreter itself on sys.path. Not -I, which would ignore PYTHONHASHSEED.
        python = [tier.interpreter, "-s", "-S", "-P", "-B", "-c"]
        guard = [tier.outer_interpreter, "-I", "-S", "-c", guard_text()]
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


class Call:
    """What is open while a call runs. Use: hand over `ends`, `await finish()`; `discard` on every way out."""

    def __init__(self, command: SandboxCommand, tier: str) -> None:
        self._command, self._tier = command, tier
        limits = command.limits
        self._line, theirs = socket.socketpair()
        self._line.setblocking(False)
        read_out, write_out = os.pipe2(os.O_CLOEXEC)
        read_err, write_err = os.pipe2(os.O_CLOEXEC)
        self._out = _Stream(read_out, limits.output_limit_bytes, head=True)
        self._err = _Stream(read_err, limits.output_limit_bytes, head=False)
        self._report = bytearray()
        self._too_much = False
        self._ended = False
        self.ends = [write_out, write_err, theirs.detach()]

    async def finish(self) -> SandboxResult:
        """Listen until the supervisor has reported."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        started = time.monotonic()
        for stream in (self._out, self._err):
            loop.add_reader(stream.fd, self._listen, loop, stream)
        loop.add_reader(self._line.fileno(), self._hear, loop, ended)
        try:
            async with asyncio.timeout(self._command.limits.timeout_seconds + GRACE_SECONDS):
                await ended
        except TimeoutError:
            raise SandboxLost("the sandbox's worker does not answer") from None
        finally:
            for number in (self._out.fd, self._err.fd, self._line.fileno()):
                loop.remove_reader(number)
        for stream in (self._out, self._err):
            while stream.total <= self._command.limits.output_kill_bytes and stream.read():
                pass
        return self._result(time.monotonic() - started)

    def discard(self) -> bool:
        """Leave nothing behind. A call that still runs is killed, which blocks for the few ms that it takes.

        False when nothing confirmed that: its supervisor does not answer.
        """
        gone = self._ended
        if not gone:
            until = time.monotonic() + HANG_UP_SECONDS
            try:
                self._line.shutdown(socket.SHUT_WR)  # the supervisor hears it, kills, cleans up and hangs up
                while not gone and select.select([self._line], [], [], max(0.0, until - time.monotonic()))[0]:
                    gone = not self._line.recv(1 << 20)
            except OSError:
                gone = True  # it hung up before
        self._line.close()
        for stream in (self._out, self._err):
            os.close(stream.fd)
        return gone

    def forget(self) -> None:
        """Close the ends that were not handed over."""
        self._ended = True
        self.discard()

    def _listen(self, loop: asyncio.AbstractEventLoop, stream: "_Stream") -> None:
        if stream.read() is False:
            loop.remove_reader(stream.fd)
        elif stream.total > self._command.limits.output_kill_bytes:
            loop.remove_reader(stream.fd)
            if not self._too_much:
                self._too_much = True
                with contextlib.suppress(OSError):
                    self._line.send(b"o")

    def _hear(self, loop: asyncio.AbstractEventLoop, ended: "asyncio.Future[None]") -> None:
        try:
            piece = self._line.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        self._report += piece
        if not piece or len(self._report) > REPORT_BYTES:
            self._ended = not piece
            loop.remove_reader(self._line.fileno())
            if not ended.done():
                ended.set_result(None)

    def _result(self, wall_seconds: float) -> SandboxResult:
        header, whole, rest = bytes(self._report).partition(b"\n")
        if not whole:
            raise SandboxLost("the sandbox's supervisor was killed")
        report: dict[str, Any] = json.loads(header)
        if "failure" in report:
            raise TransientError(f"a sandbox call could not be set up: {report['failure']}")
        if len(rest) != sum(max(0, sent) for _, _, _, sent in report["files"]):
            raise SandboxLost("the sandbox's supervisor was killed while it handed the files back")
        files, written = _files(report["files"], rest, self._command.files)
        ending: Ending = report["ending"]
        code = os.waitstatus_to_exitcode(report["status"])
        return SandboxResult(
            ending=ending,
            exit_code=code,
            stdout=bytes(self._out.data),
            stderr=bytes(self._err.data),
            stdout_bytes=self._out.total,
            stderr_bytes=self._err.total,
            wall_seconds=wall_seconds,
            cpu_seconds=report["cpu_seconds"],
            tier=self._tier,
            peak_memory_mb=report["peak_bytes"] / (1 << 20),
            denied=_denied(report, code, self._tier),
            files=files,
            written=written,
        )


class _Stream:
    """One pipe, read as it fills: counts everything, keeps the first or the last bytes."""

    def __init__(self, fd: int, keep: int, head: bool) -> None:
        self.fd, self.keep, self.head = fd, keep, head
        self.data = bytearray()
        self.total = 0
        os.set_blocking(fd, False)

    def read(self) -> bool | None:
        """Take what is there; None when that is nothing now, False when no more can come."""
        try:
            chunk = os.read(self.fd, CHUNK)
        except BlockingIOError:
            return None
        self.total += len(chunk)
        if self.head:
            self.data += chunk[: max(0, self.keep - len(self.data))]
        else:
            self.data += chunk
            del self.data[: max(0, len(self.data) - self.keep)]
        return bool(chunk)


EXIT_LIMIT, EXIT_DENIED = 70, 77
"""Exit statuses of `inside/zygote.py`. A program can fake them, but only harms itself."""
NETWORK = frozenset({"socket", "connect", "socketpair"})
LIMIT_WORDS: Mapping[str, str] = {
    "timeout": "time",
    "memory": "memory",
    "output": "output",
    "processes": "processes",
    "disk": "disk",
}


def _denied(report: Mapping[str, Any], code: int, tier: str) -> tuple[str, ...]:
    """What was refused, as far as the kernel told: system calls by name, `network`, `file`, and limits."""
    names = seccomp.names(tier == "kernel")
    words = {"network" if names[n] in NETWORK else f"system call {names[n]}" for n in report["refused"] if n in names}
    if report["ending"] in LIMIT_WORDS:
        words.add(f"limit: {LIMIT_WORDS[report['ending']]}")
    elif code == EXIT_LIMIT:
        words.add("limit")
    elif code == EXIT_DENIED and not words:
        words.add("file")
    return tuple(sorted(words))


def _files(
    listed: list[list[Any]], content: bytes, before: Mapping[str, bytes]
) -> tuple[dict[str, bytes], tuple[WrittenFile, ...]]:
    """(the working directory, what in it is new or changed)."""
    import hashlib

    files: dict[str, bytes] = {}
    written = []
    for path, size, sha256, sent in listed:
        if sent >= 0:
            files[path], content = content[:sent], content[sent:]
        if path not in before or hashlib.sha256(before[path]).hexdigest() != sha256:
            written.append(WrittenFile(path, size, sha256))
    return files, tuple(written)


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


def guard_text() -> str:
    """The guard's program."""
    return _text("folders") + _text("guard")


def _text(name: str) -> str:
    return Path(__file__).with_name("inside").joinpath(f"{name}.py").read_text(encoding="utf-8")


@lru_cache(maxsize=8)
def _inside(name: str) -> CodeType:
    return compile(_text(name), f"<{name}>", "exec", optimize=2)


@lru_cache(maxsize=64)
def _compiled(program: str) -> CodeType:
    return compile(program, "<program>", "exec", optimize=2)
