"""The parent's side of an engine: one set of weights in a process of its own, asked from asyncio tasks.

A request goes to the process at once and joins its running batch between two steps. Answers come back to the loop
that asked. When a process breaks, or makes no progress while somebody waits, the waiting requests fail, and the next
request starts another process.
"""

import asyncio
import atexit
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from agent0es.errors import Agent0Error, ModelNotFound
from agent0es.models import child_process
from agent0es.models.artifacts import Artifacts
from agent0es.models.base import GenerationFailed, ModelOutOfMemory, RequestRefused, WrongWeights
from agent0es.models.child_process import clean_environment
from agent0es.models.engine_messages import (
    Answered,
    Ask,
    Broken,
    Cancel,
    Deploy,
    EngineRequest,
    FromEngine,
    Generated,
    Load,
    Loaded,
    Missing,
    Refused,
    Retire,
    Text,
    ToEngine,
)

_TAIL_BYTES = 2000
"""Characters that a message quotes of a broken engine's last words."""


@dataclass(frozen=True, slots=True)
class Seat:
    """The process that an engine runs."""

    name: str
    """As messages call it, e.g. the name of the weights' file."""
    module: str
    """Is run as `python -m MODULE ARGUMENTS… FD PARENT`: the pipe to the parent, and the parent's process id."""
    arguments: tuple[str, ...]
    weights: Path
    """Without this file or folder no process is started."""
    made: tuple[Path, str] | None = None
    """A file or folder that the process makes first where it isn't there, and what that is called in words."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How a library that computes on a GGUF is set up and fed."""

    threads: int = field(default=0, metadata={"lowest": 0})
    """Threads of inference; 0 takes every core that the process may use."""
    max_batch: int = 64
    """Requests in the running batch; more wait."""
    max_batched_tokens: int = 1024
    """Tokens that one step works on, prompts included."""
    cache_tokens: int = 65_536
    """Size of the key-value cache, 14 kB a token for the embedded model."""
    prefix_cache: bool = True
    """Keep what was computed for a prompt's beginning. Then log-probabilities depend, in their last digits, on what was
    asked before: switch it off where a request must have the same answer at any time."""
    context: int = 8192
    """Prompt and generated tokens of one request."""
    step_seconds: float = 120
    """After a step that takes longer the library is taken to hang, and the engine is restarted. Two are usual."""


@dataclass(eq=False, slots=True)
class Pending:
    """Somebody who waits for an answer."""

    future: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop
    on_text: Callable[[str], None] | None
    submitted: float

    def tell(self, call: Callable[..., None], *args: object) -> None:
        """Run a call in the loop's thread, unless the loop is gone and with it everybody who waits."""
        try:
            self.loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            if not self.loop.is_closed():
                raise

    def answer(self, result: object) -> None:
        self.tell(lambda: None if self.future.done() else self.future.set_result(result))

    def fail(self, error: Exception) -> None:
        self.tell(lambda: None if self.future.done() else self.future.set_exception(error))


class Engine:
    """Answers requests with one set of weights. Starts its process at the first request, or when told to."""

    def __init__(self, seat: Seat) -> None:
        self.prefixes: dict[str, asyncio.Future[Generated]] = {}
        """Beginnings of prompts that the running process has read, or is reading, into its cache."""
        self.adapters: dict[str, Artifacts] = {}
        """What is deployed in this engine. Every process that it starts loads them again."""
        self._seat = seat
        self._lock = threading.Lock()
        self._process: EngineProcess | None = None
        self._closed = False

    @property
    def loaded(self) -> bool:
        """Whether the weights are in memory."""
        return self._process is not None and self._process.loaded

    @property
    def loading(self) -> str:
        """What the process does before it can answer; empty when it is not started, or can."""
        if self._process is None or self.loaded:
            return ""
        made = self._seat.made
        return made[1] if made is not None and not made[0].exists() else "loading the weights"

    @property
    def in_flight(self) -> int:
        """Requests that are not answered yet."""
        return len(self._process.pending) if self._process is not None else 0

    def submit(
        self, request: EngineRequest, on_text: Callable[[str], None] | None = None
    ) -> "asyncio.Future[Generated]":
        """Hand in a request from a running event loop. Cancelling the future takes it out of the batch."""
        return self._send(lambda number: Ask(number, request, on_text is not None), on_text)

    async def stream(self, request: EngineRequest) -> AsyncIterator[str]:
        """The text of one request as it is written."""
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        future = self.submit(request, pieces.put_nowait)
        future.add_done_callback(lambda _: pieces.put_nowait(None))
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            await future
        finally:
            future.cancel()

    async def open(self) -> None:
        """Load the weights now. Raises WrongWeights, and ModelNotFound when the library does not take the file."""
        await self._send(Load, None)

    async def deploy(self, name: str, artifacts: Artifacts) -> None:
        """Load an adapter beside the base. Raises WrongWeights, and ModelNotFound where it does not fit the base."""
        await self._send(lambda number: Deploy(number, name, artifacts), None)
        self.adapters[name] = artifacts

    def retire(self, name: str) -> None:
        """Forget an adapter; what it was asked and has not answered fails."""
        if self.adapters.pop(name, None) is not None and self._process is not None:
            self._process.post(Retire(name))

    def rest(self) -> None:
        """End the process if nobody waits for it: the next request starts another. Takes milliseconds."""
        with self._lock:
            if self._process is None or self._process.pending:
                return
            process, self._process, self.prefixes = self._process, None, {}
        process.end()

    def close(self) -> None:
        """Fail what is in flight and end the process. Takes milliseconds."""
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
        atexit.unregister(self.close)
        if process is not None:
            process.end()

    def _send(self, message: Callable[[int], ToEngine], on_text: Callable[[str], None] | None) -> "asyncio.Future[Any]":
        loop = asyncio.get_running_loop()
        pending = Pending(loop.create_future(), loop, on_text, time.perf_counter())
        with self._lock:
            if self._closed:
                pending.fail(GenerationFailed(f"{self._seat.name}: the engine was closed"))
                return pending.future
            if self._process is None or not self._process.alive:
                if not self._seat.weights.exists():
                    pending.fail(WrongWeights(f"{self._seat.weights}: no such file"))
                    return pending.future
                self.prefixes = {}
                try:
                    self._process = EngineProcess(self._seat)
                except OSError as error:  # the machine has no memory or no process left, for now
                    pending.fail(GenerationFailed(f"{self._seat.name}: the engine can't be started: {error}"))
                    return pending.future
                for name, artifacts in self.adapters.items():
                    self._process.post(Deploy(0, name, artifacts))
                atexit.unregister(self.close)
                atexit.register(self.close)
            self._process.send(message, pending)
        return pending.future


class EngineProcess:
    """A running process, with threads that write to it, read from it and check that it makes progress."""

    def __init__(self, seat: Seat) -> None:
        self._name = seat.name
        self.alive = True
        self.loaded = False
        self.pending: dict[int, Pending] = {}
        self._number = 0
        self._lock = threading.Lock()
        self._outbox: queue.SimpleQueue[ToEngine | None] = queue.SimpleQueue()
        self._last_words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the reading thread
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", seat.module, *seat.arguments),
                    *(str(theirs.fileno()), str(os.getpid())),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._last_words,
                env=clean_environment(),
                # Ctrl-C is for the parent, which then ends its engines.
                start_new_session=True,
            )
        self._ended = threading.Event()
        self._stalled = False
        for target in (_write, self._read, self._watch):
            args = (self._connection, self._outbox) if target is _write else ()
            threading.Thread(target=target, args=args, name=f"engine {self._name}", daemon=True).start()

    def send(self, message: Callable[[int], ToEngine], pending: Pending) -> None:
        with self._lock:
            if self.alive:
                self._number = number = self._number + 1
                self.pending[number] = pending
                self._outbox.put(message(number))
                pending.future.add_done_callback(lambda future: self._cancel(number) if future.cancelled() else None)
                return
        pending.fail(GenerationFailed(f"{self._name}: the engine ended"))

    def post(self, message: ToEngine) -> None:
        """Say something that nobody waits for."""
        self._outbox.put(message)

    def end(self) -> None:
        """Nothing is lost with the process, so it is killed rather than asked."""
        self._fail_all(GenerationFailed(f"{self._name}: the engine was closed"))
        self._process.kill()
        self._process.wait()

    def _cancel(self, number: int) -> None:
        if self.pending.pop(number, None) is not None:
            self._outbox.put(Cancel(number))

    def _read(self) -> None:
        error: Agent0Error | None = None
        with self._connection, self._last_words:
            while True:
                try:
                    messages: list[FromEngine] = self._connection.recv()
                except (EOFError, OSError):
                    break
                for message in messages:
                    error = self._take(message) or error
            code = self._process.wait()
            tail = self._tail()
            why = f"ended with {code}: {tail}"
            if self._stalled:
                why = f"made no progress for {child_process.STALLED_SECONDS} s and was ended"
            lacked = not self._stalled and child_process.out_of_memory(tail)
            self._fail_all(error or _failed(lacked, f"{self._name}: the engine {why}"))

    def _watch(self) -> None:
        """End a process that makes no progress while somebody waits. A watchdog inside it would be stopped with it."""
        progress = child_process.Progress(self._process.pid)
        while not self._ended.wait(child_process.LOOK_SECONDS):
            if progress.stalled(awaited=bool(self.pending)):
                self._stalled = True
                self._process.kill()
                return

    def _take(self, message: FromEngine) -> Agent0Error | None:
        match message:
            case Broken(reason, _, wrong=True):
                return WrongWeights(reason)
            case Broken(reason, unusable=True):
                return ModelNotFound(reason)
            case Broken(reason, memory=memory):
                return _failed(memory, f"{self._name}: the engine: {reason}")
            case Text(number, text):
                pending = self.pending.get(number)
                if pending is not None and pending.on_text is not None:
                    pending.tell(pending.on_text, text)
                return None
        self.loaded = True
        # A request that was cancelled a moment ago may still be answered.
        pending = self.pending.pop(message.number, None)
        if pending is not None:
            match message:
                case Loaded():
                    pending.answer(None)
                case Answered(_, generated):
                    pending.answer(replace(generated, seconds=time.perf_counter() - pending.submitted))
                case Refused(_, reason):
                    pending.fail(RequestRefused(f"{self._name}: {reason}"))
                case Missing(_, reason, wrong):
                    pending.fail((WrongWeights if wrong else ModelNotFound)(reason))
        return None

    def _tail(self) -> str:
        size = self._last_words.seek(0, os.SEEK_END)
        self._last_words.seek(max(0, size - _TAIL_BYTES))
        return self._last_words.read().decode(errors="replace").strip() or "no message"

    def _fail_all(self, error: Agent0Error) -> None:
        with self._lock:
            self.alive = False
            waiting, self.pending = self.pending, {}
        self._ended.set()
        self._outbox.put(None)
        for pending in waiting.values():
            pending.fail(error)


def _failed(memory: bool, why: str) -> GenerationFailed:
    """Why a process ended, as events tell it by its type: for want of memory, or not."""
    return ModelOutOfMemory(why) if memory else GenerationFailed(why)


def _write(connection: Connection, outbox: "queue.SimpleQueue[ToEngine | None]") -> None:
    """Send what is put into the outbox: the pipe may be full for as long as a step takes, and a loop must not wait."""
    while (message := outbox.get()) is not None:
        try:
            connection.send(message)
        except OSError:
            # The reading thread sees the end too, and tells those who wait.
            return
