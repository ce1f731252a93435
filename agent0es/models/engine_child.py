"""What the processes that hold an engine have in common: hearing the parent, working step by step, and telling it.

The parent's side is `engine.Engine`; `engine_messages.py` says what the messages mean.
"""

import faulthandler
import os
import sys
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from agent0es.errors import ModelNotFound
from agent0es.models.artifacts import Artifacts, why_wrong
from agent0es.models.base import WrongWeights
from agent0es.models.child_process import end_with_parent, out_of_memory
from agent0es.models.engine_messages import (
    Ask,
    Broken,
    Cancel,
    Deploy,
    FromEngine,
    Load,
    Loaded,
    Missing,
    Retire,
    Text,
    ToEngine,
)

_IDLE_SECONDS = 1.0
"""How often an idle engine looks whether its parent is alive."""
_LATE_SECONDS = 1.0
"""How much later than it could a step that takes too long is ended, at most."""


class Batch(ABC):
    """A library with its weights loaded, and the requests that it works on."""

    step_seconds: float
    """After a step that takes longer it is taken to hang, and the process ends."""

    @property
    @abstractmethod
    def busy(self) -> bool:
        """Whether a step has anything to do."""

    @abstractmethod
    def add(self, ask: Ask) -> None:
        """Take a request in, before the next step."""

    @abstractmethod
    def cancel(self, number: int) -> None:
        """Forget a request."""

    @abstractmethod
    def step(self) -> list[FromEngine]:
        """One token more for every running request; what there is to tell the parent."""

    def deploy(self, name: str, artifacts: Artifacts) -> None:
        """Load an adapter beside the base. Raises WrongWeights and ModelNotFound."""
        raise ModelNotFound(f"adapter {name}: this engine serves none beside its weights")

    def retire(self, name: str) -> list[FromEngine]:
        """Forget an adapter; what there is to tell those whom it was answering."""
        return []


def run(descriptor: str, parent: str, load: Callable[[], Batch]) -> None:
    """Load, then answer until the parent is gone. Does not return."""
    end_with_parent(int(parent))  # loading takes seconds, in which nobody looks for the parent
    with Connection(int(descriptor)) as connection:
        try:
            _serve(connection, load(), int(parent))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            pass
        except ModelNotFound as error:
            connection.send([Broken(str(error), unusable=True, wrong=isinstance(error, WrongWeights))])
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            traceback.print_exc()
            lacks = isinstance(error, MemoryError) or out_of_memory(str(error))
            connection.send([Broken(last_line(error), unusable=False, memory=lacks)])
    # Not through the destructors of libraries, which may complain of requests that are still in the batch.
    sys.stderr.flush()
    os._exit(0)


def _serve(connection: Connection, batch: Batch, parent: int) -> None:
    watchdog = Watchdog(batch.step_seconds)
    while os.getppid() == parent:
        wait = 0.0 if batch.busy else _IDLE_SECONDS
        while connection.poll(wait):
            message: ToEngine = connection.recv()
            watchdog.rest()
            if told := _take(batch, message):
                connection.send(told)
            wait = 0.0
        if batch.busy:
            watchdog.look_out()
            if told := batch.step():
                watchdog.rest()  # the parent may be stopped, and take nothing for long
                connection.send(told)
        else:
            watchdog.rest()


class Watchdog:
    """Ends this process, with the stacks of its threads, where a step takes longer than it may.

    It is a thread of Python's, which is not started anew for each step: to end one, it must be its turn, and on a busy
    machine that takes as long as a step of a small model.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._late = min(seconds, _LATE_SECONDS)
        self._since: float | None = None
        """When its thread was started; None while there is none."""

    def look_out(self) -> None:
        """A step begins."""
        now = time.monotonic()
        if self._since is None or now - self._since >= self._late:
            faulthandler.dump_traceback_later(self._seconds + self._late, exit=True)
            self._since = now

    def rest(self) -> None:
        """What comes now is no step, and may take longer."""
        if self._since is not None:
            faulthandler.cancel_dump_traceback_later()
            self._since = None


def _take(batch: Batch, message: ToEngine) -> list[FromEngine]:
    match message:
        case Ask():
            batch.add(message)
        case Cancel(number):
            batch.cancel(number)
        case Load(number):
            return [Loaded(number)]
        case Deploy(number, name, artifacts):
            try:
                batch.deploy(name, artifacts)
            except ModelNotFound as error:
                return [Missing(number, str(error), isinstance(error, WrongWeights))]
            return [Loaded(number)]
        case Retire(name):
            return batch.retire(name)
    return []


@dataclass(slots=True)
class Writing:
    """What is being written for one request."""

    number: int
    stream: bool
    stop: tuple[str, ...]
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    told: str = ""
    """Text that the parent has been told of."""
    tail: bytes = b""
    """The last bytes of the text, in which the next token may complete a stop string."""
    stopped: bool = False
    """The last token completed a stop string."""

    def take(self, token: int, logprob: float, piece: bytes) -> None:
        """One token more, and its bytes."""
        self.token_ids.append(token)
        self.logprobs.append(logprob)
        if self.stop:
            self.tail += piece
            self.stopped = any(stop.encode() in self.tail for stop in self.stop)
            self.tail = self.tail[-max(len(stop.encode()) for stop in self.stop) :]


class Told(Protocol):
    """A streamed request."""

    number: int
    told: str
    """Text that the parent has been told of."""


def tell(request: Told, text: str, told: list[FromEngine]) -> None:
    """Tell the parent what it does not have of a streamed text."""
    if len(text) > len(request.told):
        told.append(Text(request.number, text[len(request.told) :]))
        request.told = text


def before_stop(text: str, stop: tuple[str, ...]) -> str:
    """What of a text is before the first stop string."""
    return text[: min((at for one in stop if (at := text.find(one)) >= 0), default=len(text))]


def surely_before_stop(text: str, stop: tuple[str, ...]) -> str:
    """The part of an unfinished text that can't become part of a stop string."""
    begun = (length for one in stop for length in range(1, len(one)) if text.endswith(one[:length]))
    return text[: len(text) - max(begun, default=0)]


def without_cut_off(
    token_ids: list[int], logprobs: list[float], length: int, text_of: Callable[[list[int]], str]
) -> None:
    """Take away the tokens that a text of this length can do without."""
    while token_ids and len(text_of(token_ids[:-1])) >= length:
        del token_ids[-1], logprobs[-1]


def check_hash(file: Path, sha256: str) -> None:
    """Check that a file has this hash, if one is given. Raises WrongWeights."""
    if sha256 and (why := why_wrong(file, sha256)):
        raise WrongWeights(why)


def last_line(error: Exception) -> str:
    """Libraries put the places in their source first, and what is wrong at the end."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    last = lines[-1].strip() if lines else type(error).__name__
    return f"out of memory ({last})" if out_of_memory(last) else last
