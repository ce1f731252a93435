"""A call as seen from outside: what is open while it runs, and its result."""

import asyncio
import contextlib
import hashlib
import json
import os
import select
import socket
import time
from collections.abc import Mapping
from typing import Any

from agent0es.errors import TransientError
from agent0es.sandbox import seccomp
from agent0es.sandbox.base import Ending, SandboxCommand, SandboxLost, SandboxResult, WrittenFile
from agent0es.sandbox.inside.settings import DENIED, LIMIT

CHUNK = 1 << 16
GRACE_SECONDS = 3.0
"""A supervisor that has not reported so long after the limit counts as lost, and is ended with its worker."""
HANG_UP_SECONDS = 1.0
"""One that has not hung up so long after we have is ended with its worker too; nothing else runs here meanwhile."""
REPORT_BYTES = 1 << 27


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

        False where nobody said that it was: its supervisor does not answer.
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
        """Close what nobody was told of."""
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
    elif code == LIMIT:
        words.add("limit")
    elif code == DENIED and not words:
        words.add("file")
    return tuple(sorted(words))


def _files(
    listed: list[list[Any]], content: bytes, before: Mapping[str, bytes]
) -> tuple[dict[str, bytes], tuple[WrittenFile, ...]]:
    """(the working directory, what in it is new or changed)."""
    files: dict[str, bytes] = {}
    written = []
    for path, size, sha256, sent in listed:
        if sent >= 0:
            files[path], content = content[:sent], content[sent:]
        if path not in before or hashlib.sha256(before[path]).hexdigest() != sha256:
            written.append(WrittenFile(path, size, sha256))
    return files, tuple(written)
