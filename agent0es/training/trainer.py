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
from agent0es.training.base import (
    ProgressCallback,
    Trained,
    TrainerLost,
    TrainerOutOfMemory,
    TrainingError,
    TrainingJob,
)
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

    def forms(self, base: Weights | None) -> frozenset[Form]:
        """The engine's."""
        return self.engine.forms(base)

    def why_not(self, base: Weights, settings: TrainingSettings) -> str | None:
        """As the port says."""
        return self.engine.why_not(base, settings)

    async def train(self, job: TrainingJob, on_progress: ProgressCallback) -> Trained:
        """As the port says. Its folder lies beside the output, with the last checkpoint until the job is forgotten."""
        begin = time.perf_counter()
        folder = _folder(job.output)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            done = await _run(job, self.cache, folder, on_progress)
        except OSError as error:
            raise StoreError(explain_os_error(error, folder)) from None
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

    def forget(self, output: Path) -> None:
        """As the port says."""
        shutil.rmtree(_folder(output), ignore_errors=True)

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
        "base_sha256": job.base.sha256,
        "micro_batch": min(job.micro_batch or settings["batch_size"], settings["batch_size"]),
    }


def _folder(output: Path) -> Path:
    """Where the process of a job has what is its own."""
    return output.with_name(f".{output.name}.training")


@dataclass(slots=True)
class _Said:
    """What the process said last."""

    steps: int = 0
    step: int | None = None
    """None as long as it loads."""
    done: dict[str, Any] | None = None
    refused: str | None = None

    @property
    def computes(self) -> bool:
        """Whether it is among its steps, or before them sees what the policy gives: what it needs then depends on how
        many examples are computed at once."""
        return self.step is not None and self.step < self.steps


async def _run(job: TrainingJob, cache: Path, folder: Path, on_progress: ProgressCallback) -> dict[str, Any]:
    """What the trainer says in the end. Raises as `train` does, and OSError when it can't be started."""
    file = folder / "job.json"
    file.write_text(json.dumps(described(job, cache)))
    said = _Said()
    killed_before = _killed_for_memory()
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
            await _follow(process, said, on_progress)
            code = await process.wait()
        finally:
            watch.cancel()
            _kill(process)
            await asyncio.shield(process.wait())
        if said.done is not None and code == 0:
            return said.done
        if watch.done() and not watch.cancelled():
            raise TrainerLost(f"the trainer made no progress for {child_process.STALLED_SECONDS} s and was ended")
        size = stderr.seek(0, os.SEEK_END)
        stderr.seek(max(0, size - _TAIL_BYTES))
        last_words = stderr.read().decode(errors="replace").strip()
    if said.refused is not None:
        raise TrainingError(f"training on {job.dataset.name}: {said.refused}")
    if os.strerror(errno.ENOSPC) in last_words:
        # Not the job's fault: the run stops, and can be resumed when there is room.
        raise StoreError(explain_os_error(OSError(errno.ENOSPC, ""), job.output))
    if out_of_memory(last_words):
        raise (TrainerOutOfMemory if said.computes else TrainerLost)(
            f"the trainer ran out of memory: {last_words.splitlines()[-1]}"
        )
    if code == -signal.SIGKILL and said.computes and _killed_for_memory() > killed_before:
        raise TrainerOutOfMemory("the system ended the trainer because memory ran out")
    if code < 0:
        raise TrainerLost(f"the trainer was ended by {_signal(-code)}{f': {last_words}' if last_words else ''}")
    raise TrainerLost(f"training on {job.dataset.name} ended with {code}: {last_words or 'no message'}")


def _killed_for_memory() -> int:
    """How many processes this machine has ended for want of memory since it started (proc(5)); 0 where that is not
    known."""
    try:
        counts = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
        return int(counts["oom_kill"])
    except (OSError, KeyError, ValueError):
        return 0


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


async def _follow(process: asyncio.subprocess.Process, said: _Said, on_progress: ProgressCallback) -> None:
    """Pass progress on until the process ends or is done."""
    assert process.stdout is not None
    async for line in process.stdout:
        match json.loads(line):
            case {"compares": int(units)}:
                said.step, said.steps = 0, units
            case {"begun_at": int(step), "steps": int(steps)}:
                said.step, said.steps = step, steps
            case {"done": dict(done)}:
                said.done = done
                return
            case {"refused": str(why)}:
                said.refused = why
                return
            case {"step": int(step)} as message:
                said.step = step
                if (waiting := on_progress(message)) is not None:
                    await waiting
