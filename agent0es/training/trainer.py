"""The trainer: starting its process, following it, and ending it."""

import asyncio
import contextlib
import errno
import json
import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent0es.configuration import TrainingSettings
from agent0es.errors import StoreError
from agent0es.log.sqlite import explain_os_error
from agent0es.models import child_process
from agent0es.models.artifacts import Artifacts, Form
from agent0es.models.base import Weights
from agent0es.models.child_process import clean_environment, out_of_memory
from agent0es.training.base import ProgressCallback, Trained, TrainerLost, TrainingError, TrainingJob
from agent0es.training.engine import Engine

_TAIL_BYTES = 2000
_LINE_BYTES = 2**24
"""Longest line that the trainer may write: the last one carries the loss of every step."""


@dataclass(frozen=True, slots=True)
class ProcessTrainer:
    """Trains with an engine, in a process of its own."""

    engine: Engine
    cache: Path
    """Folder for base models in the form that training needs, made once."""

    @property
    def name(self) -> str:
        """The engine's."""
        return self.engine.name

    @property
    def forms(self) -> frozenset[Form]:
        """The engine's."""
        return self.engine.forms

    def why_not(self, base: Weights, settings: TrainingSettings) -> str | None:
        """As the port says."""
        return self.engine.why_not(base, settings)

    async def train(self, job: TrainingJob, on_progress: ProgressCallback) -> Trained:
        """As the port says. While it runs its folder lies beside the output; what a killed run left there is removed
        when the job is run again."""
        begin = time.perf_counter()
        folder = job.output.with_name(f".{job.output.name}.training")
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            done = await _run(job, self.cache, folder, on_progress)
        except OSError as error:
            raise StoreError(explain_os_error(error, folder)) from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        seconds = time.perf_counter() - begin
        phases = done["phases"]
        return Trained(
            artifacts=Artifacts(job.output, done["files"]),
            steps=done["steps"],
            loss=tuple(done["loss"]),
            examples=done["examples"],
            tokens=done["tokens"],
            seconds=round(seconds, 2),
            phases={"import": round(seconds - sum(phases.values()), 2), **phases},
            precision=done["precision"],
        )

    def remake(self, base: Weights, artifacts: Artifacts) -> None:
        """As the port says."""
        self.engine.derive(base.path, artifacts)


def described(job: TrainingJob, cache: Path) -> dict[str, Any]:
    """The job as its process reads it, as JSON. Pure."""
    settings = job.settings.model_dump(mode="json")
    if job.deterministic:
        # Several threads may add up in another order when the machine is busy, which moves an adapter's last bits;
        # another processor may take another precision.
        settings["precision"] = "fp32" if job.settings.precision == "auto" else job.settings.precision
    return {
        "settings": settings,
        "base": str(job.base.path.resolve()),
        "cache": str(cache.resolve()),
        "dataset": str(job.dataset.resolve()),
        "start": str(job.start.folder.resolve()) if job.start else None,
        "output": str(job.output.resolve()),
        "seed": job.seed % 2**63,
        "threads": 1 if job.deterministic else 0,
    }


async def _run(job: TrainingJob, cache: Path, folder: Path, on_progress: ProgressCallback) -> dict[str, Any]:
    """What the trainer says in the end. Raises as `train` does, and OSError when it can't be started."""
    file = folder / "job.json"
    file.write_text(json.dumps(described(job, cache)))
    with (folder / "stderr").open("w+b") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agent0es.training", str(os.getpid()), str(file)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            # Threads that spin for long while they wait halve the speed on a machine that does something else too;
            # those that do not spin at all lose a tenth of it.
            env={**clean_environment(), "GOMP_SPINCOUNT": "30000"},
            start_new_session=True,
            limit=_LINE_BYTES,
        )
        watch = asyncio.create_task(_end_when_stalled(process))
        try:
            done = await _follow(process, on_progress)
            code = await process.wait()
        finally:
            watch.cancel()
            _kill(process)
            await asyncio.shield(process.wait())
        if done is not None and code == 0:
            return done
        if watch.done() and not watch.cancelled():
            raise TrainerLost(f"the trainer made no progress for {child_process.STALLED_SECONDS} s and was ended")
        size = stderr.seek(0, os.SEEK_END)
        stderr.seek(max(0, size - _TAIL_BYTES))
        last_words = stderr.read().decode(errors="replace").strip()
    if os.strerror(errno.ENOSPC) in last_words:
        # Not the job's fault: the run stops, and can be resumed when there is room.
        raise StoreError(explain_os_error(OSError(errno.ENOSPC, ""), job.output))
    if out_of_memory(last_words):
        raise TrainerLost(f"the trainer ran out of memory: {last_words.splitlines()[-1]}")
    if code < 0:
        raise TrainerLost(f"the trainer was ended by {_signal(-code)}{f': {last_words}' if last_words else ''}")
    raise TrainingError(f"training on {job.dataset.name} ended with {code}: {last_words or 'no message'}")


async def _end_when_stalled(process: asyncio.subprocess.Process) -> None:
    """End the trainer when it has made no progress for too long, and return then."""
    progress = child_process.Progress(process.pid)
    while True:
        await asyncio.sleep(child_process.LOOK_SECONDS)
        if progress.stalled():
            break
    _kill(process)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _signal(number: int) -> str:
    """A signal's name, with what sends it where that can be guessed."""
    if number == signal.SIGKILL:
        return "SIGKILL, which the system sends when memory runs out"
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


async def _follow(process: asyncio.subprocess.Process, on_progress: ProgressCallback) -> dict[str, Any] | None:
    """Pass progress on; what the trainer says in the end, or None when it ends without."""
    assert process.stdout is not None
    async for line in process.stdout:
        message: dict[str, Any] = json.loads(line)
        if "done" in message:
            done: dict[str, Any] = message["done"]
            return done
        on_progress(message)
    return None
