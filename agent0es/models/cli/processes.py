"""Runs a command: a process for each request, or one that answers many in lines.

A command is the user's own, with the user's rights and environment; what a model wrote only ever goes to its standard
input. Each process leads a group of its own, so that it is ended with all that it started.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from agent0es.domain.text import one_line
from agent0es.models.base import GenerationFailed, RequestRefused
from agent0es.models.cli.dialect import parsed

MOST_BYTES = 16 * 2**20
"""Of one answer; a command that writes more is ended."""
KEPT_OF_STDERR = 4096
"""Bytes of a command's last words."""
GRACE_SECONDS = 2.0
"""For the pipes of a process that has ended: a child of its own that left its group may hold them for ever."""
CAN_NOT = 65
"""The exit code (EX_DATAERR of sysexits.h) that says: this request can't be answered, however often it is asked."""
_PIECE = 65536


class Protocol(asyncio.subprocess.SubprocessStreamProtocol):
    """asyncio's own, which tells of the process's end, too: `asyncio.subprocess.Process.wait` lasts until all pipes are
    closed, and others may hold them."""

    def __init__(self) -> None:
        super().__init__(MOST_BYTES, asyncio.get_running_loop())
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


class Process:
    """A running command. What it writes to standard error is read all the time; its end is kept."""

    def __init__(self, transport: asyncio.SubprocessTransport, protocol: Protocol, name: str) -> None:
        self._transport, self._exited = transport, protocol.exited
        self._running = asyncio.subprocess.Process(transport, protocol, asyncio.get_running_loop())
        self._name = name
        self._last_words = b""
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, command: Sequence[str], name: str) -> "Process":
        """Raises GenerationFailed where the system can't start it now."""
        try:
            transport, protocol = await asyncio.get_running_loop().subprocess_exec(
                Protocol,
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise GenerationFailed(f"{name}: {command[0]} can't be started: {error.strerror or error}") from None
        return cls(transport, protocol, name)

    @property
    def ended(self) -> bool:
        return self._running.returncode is not None

    async def wait(self) -> None:
        """Until it has ended; others may still hold its pipes."""
        await self._exited.wait()

    async def write(self, said: bytes) -> None:
        """Give it this to read; what it does not want to read is its own affair."""
        assert self._running.stdin is not None
        with suppress(BrokenPipeError, ConnectionResetError):
            self._running.stdin.write(said)
            await self._running.stdin.drain()

    async def tell(self, said: bytes) -> None:
        """Give it this to read, and no more after it."""
        assert self._running.stdin is not None
        await self.write(said)
        with suppress(BrokenPipeError, ConnectionResetError):
            self._running.stdin.close()
            await self._running.stdin.wait_closed()

    async def whole(self) -> bytes:
        """All that it writes until it ends. Raises GenerationFailed when that is too much."""
        assert self._running.stdout is not None
        said = bytearray()

        async def read() -> None:
            assert self._running.stdout is not None
            while piece := await self._running.stdout.read(_PIECE):
                said.extend(piece)
                if len(said) > MOST_BYTES:
                    raise self.too_much()

        reading, ending = asyncio.create_task(read()), asyncio.create_task(self.wait())
        try:
            await asyncio.wait([reading, ending], return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                await reading
            await ending
            self._kill()  # what it started and did not wait for
            await asyncio.wait([reading], timeout=GRACE_SECONDS)
            if reading.done():
                await reading
        finally:
            reading.cancel()
            ending.cancel()
            await asyncio.gather(reading, ending, return_exceptions=True)
        return bytes(said)

    async def line(self) -> bytes:
        """The next line that it writes; empty at the end. Raises GenerationFailed for one that is too long."""
        assert self._running.stdout is not None
        try:
            return await self._running.stdout.readline()
        except ValueError:
            raise self.too_much() from None

    def too_much(self) -> GenerationFailed:
        return GenerationFailed(f"{self._name}: it wrote more than {MOST_BYTES // 2**20} MB, and was ended")

    async def end(self) -> None:
        """End it with its whole group; also when it has ended already and left children behind."""
        self._kill()
        await self.wait()
        await asyncio.wait([self._listening], timeout=GRACE_SECONDS)
        self._listening.cancel()
        self._transport.close()  # with the pipes that others still hold

    def fault(self) -> GenerationFailed | RequestRefused | None:
        """What its exit code means; None for 0. To be asked when it has ended."""
        code = self._running.returncode
        if code == 0:
            return None
        said = one_line(self._last_words.decode("utf-8", "replace").strip().rpartition("\n")[2])
        how = f"ended by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        message = f"{self._name}: {how}{f': {said}' if said else ''}"
        return RequestRefused(message) if code == CAN_NOT else GenerationFailed(message)

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._running.pid, signal.SIGKILL)

    async def _listen(self) -> None:
        assert self._running.stderr is not None
        while piece := await self._running.stderr.read(_PIECE):
            self._last_words = (self._last_words + piece)[-KEPT_OF_STDERR:]


async def ask_once(command: Sequence[str], name: str, said: bytes, seconds: float) -> bytes:
    """What the command writes for this on its standard input.

    Raises GenerationFailed and RequestRefused, as its exit code means; its group is gone when this returns.
    """
    process = await Process.start(command, name)
    try:
        async with asyncio.timeout(seconds):
            telling = asyncio.create_task(process.tell(said))
            try:
                written = await process.whole()
            finally:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)
    except TimeoutError:
        raise GenerationFailed(f"{name}: no answer within {seconds:g} s, and it was ended") from None
    finally:
        await asyncio.shield(process.end())
    if fault := process.fault():
        raise fault
    return written


class Pipe:
    """One process that reads requests as lines and writes answers as lines, in any order, told apart by `id`.

    It starts at the first request, and again after it ended; those who waited then get GenerationFailed.
    """

    def __init__(self, command: Sequence[str], name: str, timeout: float) -> None:
        self._command, self._name, self._timeout = command, name, timeout
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._next = 0
        self._starting = asyncio.Lock()

    def number(self) -> int:
        """An `id` for a request."""
        self._next += 1
        return self._next

    async def ask(self, number: int, said: bytes) -> dict[str, Any]:
        """The object with this `id`. Raises GenerationFailed; a process that let somebody wait too long is ended."""
        process = await self._running()
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(self._timeout):
                await process.write(said)
                return await answer
        except TimeoutError:
            message = f"{self._name}: no answer within {self._timeout:g} s, and it was ended"
            if self._process is process:
                await self._give_up(GenerationFailed(message))
            raise GenerationFailed(message) from None
        finally:
            self._waiting.pop(number, None)
            if answer.done() and not answer.cancelled():
                answer.exception()  # seen, also where the timeout came first

    async def close(self) -> None:
        await self._give_up(GenerationFailed(f"{self._name}: closed"))

    async def _running(self) -> Process:
        async with self._starting:
            if self._process is None or self._process.ended:
                await self._give_up(GenerationFailed(f"{self._name}: it ended"))
                self._process = await Process.start(self._command, self._name)
                self._reading = asyncio.create_task(self._read(self._process))
            return self._process

    async def _give_up(self, why: GenerationFailed | RequestRefused) -> None:
        process, reading, self._process, self._reading = self._process, self._reading, None, None
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(why)
        if reading is not None and reading is not asyncio.current_task():
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        if process is not None:
            await asyncio.shield(process.end())

    async def _read(self, process: Process) -> None:
        why: GenerationFailed | RequestRefused
        try:
            while said := await process.line():
                answer = parsed(said, self._name)
                waiting = self._waiting.get(answer.pop("id", None))
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)  # else nobody waits any more: it was cancelled
            async with asyncio.timeout(GRACE_SECONDS):
                await process.wait()
            why = process.fault() or GenerationFailed(f"{self._name}: it ended while it was asked")
        except TimeoutError:
            why = GenerationFailed(f"{self._name}: it closed its standard output")
        except GenerationFailed as error:
            why = error
        if self._process is process:
            await self._give_up(why)
