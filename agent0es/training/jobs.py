"""Starting the trainer, following it, and ending it."""

import asyncio
import contextlib
import errno
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from agent0es.errors import Agent0Error, StoreError, TransientError
from agent0es.log.sqlite import explain_os_error
from agent0es.models import child_process
from agent0es.models.child_process import clean_environment, out_of_memory

ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_TAIL_BYTES = 2000
_LINE_BYTES = 2**24
"""Longest line that the trainer may write: the last one carries the loss of every step."""

ProgressCallback = Callable[[Mapping[str, Any]], None]
"""Is given `step`, `steps`, `loss`, `tokens_per_second`, `eta_seconds`."""


class TrainingError(Agent0Error):
    """The trainer ended without an adapter, and a retry would too. The message carries its last words."""


class TrainerLost(TransientError):
    """The trainer was killed, or made no progress and was ended. A retry may succeed."""


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """What to train, and where to put it."""

    base: Path
    """GGUF of the base model."""
    cache: Path
    """Folder for the base model in the form that training needs, made once (540 MB)."""
    dataset: Path
    """JSON lines: `messages`, a list of {role, content}, and `segments`, the assistant's turn after them as a list of
    [text, trainable]. The base's chat template makes one text of them."""
    output: Path
    """Folder for `adapter/` and `merged.gguf`; what is there is replaced."""
    seed: int
    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    target_modules: tuple[str, ...] = ALL_LINEAR
    frozen_share: float = 0.0
    """Share of the layers, counted from the first, that get no adapter."""
    learning_rate: float = 1e-3
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_steps: int = 5
    epochs: int = 2
    batch_size: int = 8
    gradient_accumulation: int = 1
    max_tokens: int = 1024
    """Longer examples are left out."""
    threads: int = 0
    """0 leaves it to torch: every core."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of the multiplications with frozen weights; auto takes bf16 where this processor is faster at it."""


@dataclass(frozen=True, slots=True)
class TrainedAdapter:
    """What a job gave."""

    adapter_dir: Path
    merged_gguf: Path
    adapter_sha256: str
    """Of adapter_model.safetensors."""
    merged_sha256: str
    steps: int
    loss: tuple[float, ...]
    """Mean over the labels, per step."""
    examples: int
    tokens: int
    """Read in training, every epoch counted."""
    seconds: float
    """From start to end of the process."""
    phases: Mapping[str, float]
    """Seconds: import, load, train, merge."""
    precision: str
    """fp32 or bf16, as it was trained."""


async def train_adapter(job: TrainingJob, on_progress: ProgressCallback) -> TrainedAdapter:
    """Run a job in a process of its own; cancelling the task kills it.

    Raises TrainingError, TrainerLost, and StoreError when the disk is full. While it runs its folder lies beside the
    output; what a killed run left there is removed when the job is run again.
    """
    begin = time.perf_counter()
    folder = job.output.with_name(f".{job.output.name}.training")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        done = await _run(job, folder, on_progress)
    except OSError as error:
        raise StoreError(explain_os_error(error, folder)) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = time.perf_counter() - begin
    phases = done["phases"]
    return TrainedAdapter(
        adapter_dir=job.output / "adapter",
        merged_gguf=job.output / "merged.gguf",
        adapter_sha256=done["adapter_sha256"],
        merged_sha256=done["merged_sha256"],
        steps=done["steps"],
        loss=tuple(done["loss"]),
        examples=done["examples"],
        tokens=done["tokens"],
        seconds=round(seconds, 2),
        phases={"import": round(seconds - sum(phases.values()), 2), **phases},
        precision=done["precision"],
    )


async def _run(job: TrainingJob, folder: Path, on_progress: ProgressCallback) -> dict[str, Any]:
    """What the trainer says in the end. Raises as `train_adapter` does, and OSError when it can't be started."""
    file = folder / "job.json"
    content = {**asdict(job), "seed": job.seed % 2**63}
    file.write_text(json.dumps(content, default=lambda path: str(path.resolve())))
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
