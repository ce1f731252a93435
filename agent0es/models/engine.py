"""The parent's side of an engine: one set of weights in a process of its own, asked from asyncio tasks.

A request goes to the process at once and joins its running batch between two steps. Answers come back to the loop
that asked. When a process breaks, or makes no progress while somebody waits, the waiting requests fail, and the next
request starts another process.
"""

import asyncio
import atexit
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from agent0es.errors import Agent0Error, ModelNotFound
from agent0es.models import child_process
from agent0es.models.base import GenerationFailed, RequestRefused, WrongWeights
from agent0es.models.child_process import clean_environment

_TAIL_BYTES = 2000
"""Characters that a message quotes of a broken engine's last words."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How a pipeline is built and fed."""

    threads: int = 0
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
    """After a step that takes longer the pipeline is taken to hang, and the engine is restarted. Two are usual."""


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """A request in the engine's terms: the prompt is one text, in the model's own chat format."""

    prompt: str
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0
    json_schema: dict[str, Any] | None = None
    prefix: bool = False
    """Only the beginning of other prompts, to be read into the cache. It is cut to whole blocks."""


@dataclass(frozen=True, slots=True)
class Generated:
    """What an engine answers."""

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Same length as token_ids."""
    finish_reason: str
    prompt_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Ask:
    """To the engine: generate."""

    number: int
    request: EngineRequest
    stream: bool


@dataclass(frozen=True, slots=True)
class Cancel:
    """To the engine: nobody waits for this request now."""

    number: int


@dataclass(frozen=True, slots=True)
class Load:
    """To the engine: say when the weights are loaded."""

    number: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """From the engine: the answer to Load."""

    number: int


@dataclass(frozen=True, slots=True)
class Text:
    """From the engine: more text of a streamed request."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """From the engine: a finished request. The time it took is measured here, not there."""

    number: int
    generated: Generated


@dataclass(frozen=True, slots=True)
class Refused:
    """From the engine: a request that can't be answered as it is."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """From the engine, its last words."""

    reason: str
    unusable: bool
    """A retry would fail as well: OpenVINO does not take the weights."""
    wrong: bool = False
    """The file does not have the hash that was asked for."""


ToEngine = Ask | Cancel | Load
FromEngine = Loaded | Text | Answered | Refused | Broken


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

    def __init__(
        self, gguf: Path, settings: EngineSettings, served: Path | None = None, sha256: str | None = None
    ) -> None:
        """`served`: where the same values lie, or are to be written, in a quantization that OpenVINO computes with.

        With `sha256` only a file of that hash is loaded, whenever a process loads it.
        """
        self.gguf = gguf
        self.prefixes: dict[str, asyncio.Future[Generated]] = {}
        """Beginnings of prompts that the running process has read, or is reading, into its cache."""
        self._sha256 = sha256
        self._settings = settings
        self._served = served or gguf
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
        return "loading the weights" if self._served.is_file() else "writing a copy of the weights in Q8_0"

    @property
    def in_flight(self) -> int:
        """Requests that are not answered yet."""
        return len(self._process.pending) if self._process is not None else 0

    def submit(
        self, request: EngineRequest, on_text: Callable[[str], None] | None = None
    ) -> "asyncio.Future[Generated]":
        """Hand in a request from a running event loop. Cancelling the future takes it out of the batch."""
        return self._send(lambda number: Ask(number, request, on_text is not None), on_text)

    async def open(self) -> None:
        """Load the weights now. Raises WrongWeights, and ModelNotFound when the pipeline does not take the file."""
        await self._send(Load, None)

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
                pending.fail(GenerationFailed(f"{self.gguf.name}: the engine was closed"))
                return pending.future
            if self._process is None or not self._process.alive:
                if not self.gguf.is_file():
                    pending.fail(WrongWeights(f"{self.gguf}: no such file"))
                    return pending.future
                self.prefixes = {}
                try:
                    self._process = EngineProcess(self.gguf, self._served, self._sha256, self._settings)
                except OSError as error:  # the machine has no memory or no process left, for now
                    pending.fail(GenerationFailed(f"{self.gguf.name}: the engine can't be started: {error}"))
                    return pending.future
                atexit.unregister(self.close)
                atexit.register(self.close)
            self._process.send(message, pending)
        return pending.future


class EngineProcess:
    """A running process, with threads that write to it, read from it and check that it makes progress."""

    def __init__(self, gguf: Path, served: Path, sha256: str | None, settings: EngineSettings) -> None:
        self._name = gguf.name
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
                    sys.executable,
                    *("-m", "agent0es.models.engine_process", str(gguf), str(served), sha256 or ""),
                    *(json.dumps(asdict(settings)), str(theirs.fileno()), str(os.getpid())),
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
            why = f"ended with {code}: {self._tail()}"
            if self._stalled:
                why = f"made no progress for {child_process.STALLED_SECONDS} s and was ended"
            self._fail_all(error or GenerationFailed(f"{self._name}: the engine {why}"))

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
            case Broken(reason, unusable):
                return ModelNotFound(reason) if unusable else GenerationFailed(f"{self._name}: the engine: {reason}")
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


def _write(connection: Connection, outbox: "queue.SimpleQueue[ToEngine | None]") -> None:
    """Send what is put into the outbox: the pipe may be full for as long as a step takes, and a loop must not wait."""
    while (message := outbox.get()) is not None:
        try:
            connection.send(message)
        except OSError:
            # The reading thread sees the end too, and tells those who wait.
            return
