"""What every trainer offers: from a dataset, a base model and settings to an adapter, in a process of its own."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from agent0es.configuration import TrainingSettings
from agent0es.errors import Agent0Error, TransientError
from agent0es.models.artifacts import Artifacts, Form
from agent0es.models.base import ModelBackend, Weights
from agent0es.training.methods import load_method

ProgressCallback = Callable[[Mapping[str, Any]], Awaitable[None] | None]
"""Is given what the trainer says of each step (`training/course.py: said`): `step`, `steps`, `loss`, `gradient_norm`,
`tokens_per_second`, `eta_seconds` and others. What it returns is waited for."""


class TrainingError(Agent0Error):
    """The trainer ended without an adapter, and a retry would too. The message carries its last words."""


class TrainerLost(TransientError):
    """The trainer was killed, died, or made no progress and was ended. A retry may succeed; it goes on where it was."""


class TrainerOutOfMemory(Agent0Error):
    """A batch was more than the memory holds: with a smaller `micro_batch` the job may succeed, and goes on where it
    was. The message carries the trainer's last words."""


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """What to train, and where to put it."""

    base: Weights
    """The model that the adapter is for."""
    dataset: Path
    """JSON lines, as the method reads them (`training/examples.py`). For rft: `messages`, a list of {role, content},
    with `trainable: true` where the assistant's are to be learnt, and `segments`, the assistant's turn after them as a
    list of [text, trainable]. The base's chat template makes one text of them."""
    output: Path
    """Folder for the adapter; what is there is replaced."""
    seed: int
    settings: TrainingSettings
    start: Artifacts | None = None
    """The adapter to go on from; None for a new one."""
    deterministic: bool = False
    """The same adapter, to the last bit, on every machine and however busy: one thread, full precision."""
    micro_batch: int | None = None
    """Most examples that are computed at once, where that is to be fewer than `training.batch_size`. A step of the
    optimizer takes as many as before."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a job gave."""

    artifacts: Artifacts
    steps: int
    loss: tuple[float, ...]
    """The method's, per step: for rft the mean over the labels."""
    examples: int
    tokens: int
    """Read in training, every epoch counted."""
    seconds: float
    """From start to end of the process."""
    phases: Mapping[str, float]
    """Seconds: import, load, train, merge."""
    precision: str
    """fp32 or bf16, as it was trained."""


class Trainer(Protocol):
    """Makes adapters."""

    @property
    def name(self) -> str: ...

    def forms(self, base: Weights | None) -> frozenset[Form]:
        """In which adapters of this model can be loaded; of None, in which any can."""
        ...

    def why_not(self, base: Weights, settings: TrainingSettings) -> str | None:
        """Why this model can't be trained with these settings; None where it can. Reads no more than the beginning of
        the file. Raises ModelNotFound when it is no file of weights."""
        ...

    async def train(self, job: TrainingJob, on_progress: ProgressCallback) -> Trained:
        """Run a job; cancelling the task ends it. A job that was cut off may be run again, and goes on where it was,
        with what is kept beside its output until it is forgotten.

        Raises TrainingError, TrainerLost, TrainerOutOfMemory, and StoreError when the disk is full.
        """
        ...

    def forget(self, output: Path) -> None:
        """Remove what is kept of the job with this output, whose outcome is known by now."""
        ...

    def remake(self, base: Weights, artifacts: Artifacts) -> None:
        """Write what follows from the adapter and its base again: those of `artifacts.DERIVED` that the artifacts name.

        Raises OSError, and ValueError when the folder holds no such adapter.
        """
        ...


def why_not_trained(trainer: Trainer, model: ModelBackend, settings: TrainingSettings) -> str | None:
    """Why no adapter of this model can be trained and then answer; None where it can, as far as is known beforehand.

    A model without weights says so when its training is due: the scripted and the recorded one need none before.
    """
    forms = trainer.forms(model.weights)
    if not model.capabilities.adapters & forms:
        served = ", ".join(sorted(model.capabilities.adapters)) or "none"
        made = ", ".join(sorted(forms))
        return f"{model.name} can't serve what {trainer.name} makes of it (serves: {served}; is made: {made})"
    able = model.capabilities
    if load_method(settings.method).learns == "groups" and not (able.logprobs and able.token_ids):
        return (
            f"{model.name} does not say which tokens it writes and how likely they were, and training.method "
            f"{settings.method} learns from these; set training.method to rft or dpo"
        )
    return None if model.weights is None else trainer.why_not(model.weights, settings)
