"""One child process: started, listened to, killed, reaped. Not asyncio's own, which takes a thread per process."""

import asyncio
import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from agent0es.errors import TransientError
from agent0es.sandbox.base import Ending, SandboxResult
from agent0es.sandbox.limits import SandboxLimits

CHUNK = 1 << 16


class _Stream:
    """One pipe, read as it fills: counts everything, keeps the head or the tail."""

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


class SandboxProcess:
    """A running bubblewrap and what it holds. Use: `start`, `await finish()`; `discard` on every way out."""

    def __init__(
        self, argv: Sequence[str], stdin: bytes, seccomp: bytes, limits: SandboxLimits, uid: int | None
    ) -> None:
        """Start it. `argv` is filled by `fill`; `uid` is who runs it, None for ourselves."""
        self._limits = limits
        self._ending: Ending = "exited"
        self._reaped: tuple[int, float] | None = None
        self._started = time.monotonic()
        with contextlib.ExitStack() as given, contextlib.ExitStack() as kept:
            try:
                self._status, status = os.pipe2(os.O_CLOEXEC)
                given.callback(os.close, status)
                kept.callback(os.close, self._status)
                # A sealed memory file takes any amount at once and never makes us wait for the child to read.
                source = memory_file(stdin)
                given.callback(os.close, source)
                filter_ = memory_file(seccomp)
                given.callback(os.close, filter_)
                self._child = subprocess.Popen(
                    fill(argv, status, filter_),
                    stdin=source,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    env={},
                    pass_fds=(status, filter_),
                    process_group=0,  # Ctrl-C in a terminal is for us, and must not look like a failing sandbox
                    user=uid,
                    group=uid,
                    extra_groups=None if uid is None else [],
                )
            except OSError as error:
                raise TransientError(f"a sandbox process could not be started: {error}") from error
            kept.pop_all()
        self._pidfd = os.pidfd_open(self._child.pid)
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        self._out = _Stream(self._child.stdout.fileno(), limits.output_limit_bytes, head=True)
        self._err = _Stream(self._child.stderr.fileno(), limits.output_limit_bytes, head=False)

    async def finish(self, tier: str) -> SandboxResult:
        """Wait for the end, or bring it about. Raises TransientError when bubblewrap itself failed."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        for stream in (self._out, self._err):
            loop.add_reader(stream.fd, self._listen, loop, stream)
        loop.add_reader(self._pidfd, _set, ended)
        timer = loop.call_later(self._limits.timeout_seconds, self.kill)
        try:
            await ended
        finally:
            timer.cancel()
            for fd in (self._out.fd, self._err.fd, self._pidfd):
                loop.remove_reader(fd)
        wait_status, cpu_seconds = self._reap()
        wall_seconds = time.monotonic() - self._started
        for stream in (self._out, self._err):
            while stream.total <= self._limits.output_kill_bytes and stream.read():
                pass
        if self._ending == "exited" and not self._was_set_up():
            reason = self._err.data.decode("utf-8", "replace").strip()
            raise TransientError(f"bubblewrap could not set up a sandbox: {reason or f'wait status {wait_status}'}")
        code = os.waitstatus_to_exitcode(wait_status)
        return SandboxResult(
            ending=self._ending,
            exit_code=128 - code if 128 < code <= 192 else code,  # bubblewrap passes a signal on as 128 + number
            stdout=bytes(self._out.data),
            stderr=bytes(self._err.data),
            stdout_bytes=self._out.total,
            stderr_bytes=self._err.total,
            wall_seconds=wall_seconds,
            cpu_seconds=cpu_seconds,
            tier=tier,
        )

    def discard(self) -> None:
        """Leave nothing behind: kill if it still runs, reap, close. Blocks for the few ms that a kill takes."""
        if self._reaped is None:
            self.kill("timeout")
            if not select.select([self._pidfd], [], [], 2.0)[0]:
                self._child.kill()
            self._reap()
        os.close(self._pidfd)
        os.close(self._status)
        for pipe in (self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()

    def _listen(self, loop: asyncio.AbstractEventLoop, stream: _Stream) -> None:
        if stream.read() is False:
            loop.remove_reader(stream.fd)
        elif stream.total > self._limits.output_kill_bytes:
            loop.remove_reader(stream.fd)
            self.kill("output")

    def kill(self, ending: Ending = "timeout") -> None:
        """Kill the first process of the pid namespace: the kernel then kills the rest, and bubblewrap reaps it.

        Killing bubblewrap instead would leave that process to the machine's init, which in a container may never reap.
        """
        if self._ending != "exited":
            return
        self._ending = ending
        first = self._first_inside()
        if first is None:
            self._child.kill()
            return
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(first)
            try:
                if _parent_of(first) == self._child.pid:
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
            finally:
                os.close(handle)

    def _first_inside(self) -> int | None:
        """Its process id as seen from here. Bubblewrap writes it down as soon as it forks; waits for that, shortly."""
        line = b""
        while not line.endswith(b"\n"):  # it comes in several pieces
            if not select.select([self._status], [], [], 1.0)[0]:
                return None
            piece = os.read(self._status, 1)
            if not piece:
                return None
            line += piece
        return int(json.loads(line)["child-pid"])

    def _was_set_up(self) -> bool:
        """Bubblewrap reports an exit code only when it got as far as starting the command."""
        return b'"exit-code"' in os.read(self._status, CHUNK)

    def _reap(self) -> tuple[int, float]:
        """(wait status, CPU seconds of the whole tree)."""
        if self._reaped is None:
            _, status, usage = os.wait4(self._child.pid, 0)
            self._child.returncode = os.waitstatus_to_exitcode(status)  # so that Popen does not wait for it again
            self._reaped = status, usage.ru_utime + usage.ru_stime
        return self._reaped


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def fill(argv: Sequence[str], status: int, seccomp: int) -> list[str]:
    """Put the numbers of the two descriptors where the arguments hold `{status}` and `{seccomp}`."""
    numbers = {"{status}": str(status), "{seccomp}": str(seccomp)}
    return [numbers.get(part, part) for part in argv]


def memory_file(content: bytes) -> int:
    """A descriptor on exactly this, at its start, that nobody can change any more."""
    fd = os.memfd_create("agent0es", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(fd, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL)
    return fd


def _parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None
