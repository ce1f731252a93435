"""What happens to the run as a whole. Stream `run/<run>`."""

from typing import Any, Literal

from pydantic import Field

from agent0es.domain.values import Value


class RunStarted(Value):
    """A run began. Stream `run/<run>`."""

    type: Literal["RunStarted"] = "RunStarted"
    version: Literal[6] = 6
    seed: int
    """Every random choice of the run derives from it."""
    configuration: dict[str, Any]
    """The full configuration, defaults included; secrets are left out."""
    code_version: str
    """Version of agent0es that started the run."""
    weights: dict[str, str]
    """Model name to sha256 of its weights."""
    plugins: dict[str, str] = Field(default_factory=dict)
    """What the run uses (`<entry point group>:<name>`) to the package and version that it comes from."""


class RunForked(Value):
    """A run began whose past is another run's up to a position. Stream `run/<run>`."""

    type: Literal["RunForked"] = "RunForked"
    version: Literal[6] = 6
    parent: str
    """Name of the run that it was forked from."""
    position: int = Field(ge=1)
    """The last event that it shares with the parent."""
    seed: int
    """Every random choice from here on derives from it."""
    configuration: dict[str, Any]
    """The full configuration from here on, defaults included; secrets are left out."""
    code_version: str
    """Version of agent0es that forked the run."""
    weights: dict[str, str]
    """Model name to sha256 of its weights."""
    plugins: dict[str, str] = Field(default_factory=dict)
    """What the fork uses (`<entry point group>:<name>`) to the package and version that it comes from."""


class IterationStarted(Value):
    """A round of practice, training and evaluation began. Stream `run/<run>`."""

    type: Literal["IterationStarted"] = "IterationStarted"
    version: Literal[1] = 1
    iteration: int = Field(ge=1)
    """Counted from 1."""


class IterationCompleted(Value):
    """The practice of an iteration is over. Stream `run/<run>`."""

    type: Literal["IterationCompleted"] = "IterationCompleted"
    version: Literal[1] = 1
    iteration: int
    """Counted from 1."""
    tasks: int
    """Tasks that were completed."""
    given_up: int
    """Tasks for which the teacher had no usable proposal."""
    attempts: int
    """Attempts that were made."""
    solved: int
    """Attempts that were correct."""


class Retracted(Value):
    """A person declared a task or an attempt bad: no dataset that is built later holds it. Stream `run/<run>`."""

    type: Literal["Retracted"] = "Retracted"
    version: Literal[1] = 1
    what: str
    """Number of a task, which stands for its attempts too, or name of an attempt at one."""
    reason: str
    """Why, in the person's words."""
    actor: str
    """The person's account on the machine."""


class Retried(Value):
    """Something failed and is retried. For attempts this is AttemptAbandoned. Stream `run/<run>`."""

    type: Literal["Retried"] = "Retried"
    version: Literal[1] = 1
    handler: str
    """Name of the handler that does it."""
    task: int | None
    """Number of the task that it is for; None where it is for none."""
    name: str | None
    """Call, held-out attempt, attempt or adapter that failed; None for what has no name, such as a proposal."""
    retry: int = Field(ge=1)
    """Which retry this is, from 1; `execution.retries` says how many there may be."""
    error: str
    """Type and message."""


class HandlerFailed(Value):
    """A handler failed for good: its error is not retried, or the retries are used up. Stream `run/<run>`."""

    type: Literal["HandlerFailed"] = "HandlerFailed"
    version: Literal[1] = 1
    handler: str
    """Name of the handler."""
    cause: int
    """Position of the event that it was handling."""
    task: int | None
    """Number of the task that is dropped for it; None when the run stops instead."""
    error: str
    """Type and message."""
    traceback: str
    """Where it happened."""


class RunCompleted(Value):
    """All iterations are done. Stream `run/<run>`."""

    type: Literal["RunCompleted"] = "RunCompleted"
    version: Literal[1] = 1
    iterations: int
    """How many were done."""
    serving: dict[str, str | None]
    """Role to the adapter in use at the end; None is the base model."""
