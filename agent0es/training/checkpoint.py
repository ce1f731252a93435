"""Checkpoints: what a training goes on from when its process, its run or the whole machine was cut off.

One file holds the adapter, the optimizer, the random state and the course so far; the order of the examples follows
from the seed. It is named after the job, the step and the hash of its bytes, so a file of another job, or one that is
only half there, is passed over. A job that is repeated from its last checkpoint comes to the same adapter, to the last
bit where it is deterministic.
"""

import hashlib
import io
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from agent0es import __version__
from agent0es.crash_points import reach
from agent0es.models.made_once import sha256_of
from agent0es.training.course import Course
from agent0es.training.engine import Policy

WORTH = 50
"""A checkpoint is due when so many times the seconds that the last one took have gone by: they cost two hundredths of a
training at most, and a training that is killed again and again gets on by a step each time."""
_WHERE = ("base", "cache", "dataset", "output", "micro_batch")
"""Keys of a job that say where things are, and how much is computed at once: what a training comes to is decided by the
others."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was read."""

    course: Course
    precision: str
    """In which it was trained, which another processor might not choose."""
    state: Mapping[str, Any]

    def restore(self, policy: Policy, optimizer: torch.optim.Optimizer) -> None:
        """Put policy, optimizer and random state where they were."""
        with torch.no_grad():
            for parameter, value in zip(policy.parameters, self.state["parameters"], strict=True):
                parameter.copy_(value)
        optimizer.load_state_dict(self.state["optimizer"])
        torch.set_rng_state(self.state["random"])
        if self.state["cuda_random"]:
            torch.cuda.set_rng_state_all(self.state["cuda_random"])


class Checkpoints:
    """Those of one job, in its folder."""

    def __init__(self, folder: Path, job: Mapping[str, Any]) -> None:
        """`job`: as `trainer.described` makes it. Raises OSError where its dataset can't be read."""
        self._folder = folder
        decides = {key: value for key, value in job.items() if key not in _WHERE}
        decides |= {"dataset": sha256_of(Path(job["dataset"])), "code": [__version__, torch.__version__]}
        self._job = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
        self._due = 0.0
        """When the next is worth its time, by `time.monotonic`."""

    def last(self) -> Checkpoint | None:
        """The last one that is whole, None where there is none. Removes all others."""
        found = None
        for file in sorted(self._folder.glob("*.checkpoint"), reverse=True):
            job, _, sha256 = file.stem.split("-")
            data = file.read_bytes()
            if found is None and job == self._job and hashlib.sha256(data).hexdigest() == sha256:
                # Nothing but tensors and plain values is read, whoever wrote the file.
                state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
                found = Checkpoint(Course(**state.pop("course")), state.pop("precision"), state)
            else:
                file.unlink()
        return found

    def keep(self, policy: Policy, optimizer: torch.optim.Optimizer, course: Course, *, at_once: bool = False) -> None:
        """Write a checkpoint if one is due, or `at_once`; it takes the place of the one before. Raises OSError."""
        begin = time.monotonic()
        if begin < self._due and not at_once:
            return
        state = {
            "parameters": [parameter.detach() for parameter in policy.parameters],
            "optimizer": optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "course": course.as_dict(),
            "precision": policy.precision,
        }
        memory = io.BytesIO()  # which is hashed, and a full disk is said as what it is
        torch.save(state, memory)
        sha256 = hashlib.sha256(memory.getbuffer()).hexdigest()
        new = self._folder / f"{self._job}-{course.step:08}-{sha256}.checkpoint"
        before = [file for file in self._folder.glob("*.checkpoint") if file != new]
        draft = self._folder / "checkpoint.draft"
        try:
            with draft.open("wb") as written:
                written.write(memory.getbuffer())
                written.flush()
                os.fsync(written.fileno())
            reach("training.checkpoint", with_parent=True)
            draft.replace(new)
        finally:
            draft.unlink(missing_ok=True)  # what fills a disk would leave no room to say so
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name is durable before the one before goes
        finally:
            os.close(folder)
        for file in before:
            file.unlink()
        end = time.monotonic()
        self._due = end + WORTH * (end - begin)
