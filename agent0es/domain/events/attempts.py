"""An attempt at a task or at a held-out problem. Stream `attempt/<run>/<attempt>`."""

from typing import Literal

from agent0es.domain.task import Question, Solution, Verification
from agent0es.domain.values import Share, Value


class AttemptStarted(Value):
    """The student began an attempt. Stream `attempt/<run>/<attempt>`."""

    type: Literal["AttemptStarted"] = "AttemptStarted"
    version: Literal[1] = 1
    attempt: str
    """Name of the attempt."""
    task: int | None
    """Number of the task; None for a held-out problem."""
    seed: int
    """Seed of the student's sampling."""
    adapter: str | None
    """Adapter that answers; None is the base model."""
    demonstrations: int
    """Worked examples in the prompt."""


class Reflected(Value):
    """The student was asked about its own answer; what it said is the ModelCalled before. Stream of the attempt."""

    type: Literal["Reflected"] = "Reflected"
    version: Literal[1] = 1
    attempt: str
    """Name of the attempt."""
    task: int | None
    """Number of the task; None for a held-out problem."""
    question: Question
    """What it was asked."""
    confidence: Share | None
    """How likely its answer is right, by what it said; None when that could not be read."""


class SolutionSubmitted(Value):
    """An attempt ended. Stream of the attempt."""

    type: Literal["SolutionSubmitted"] = "SolutionSubmitted"
    version: Literal[2] = 2
    attempt: str
    """Name of the attempt."""
    task: int | None
    """Number of the task; None for a held-out problem."""
    solution: Solution
    """Answer and what it took."""


class AttemptAbandoned(Value):
    """The attempt was cut off; it is retried under another name. Stream of the attempt."""

    type: Literal["AttemptAbandoned"] = "AttemptAbandoned"
    version: Literal[2] = 2
    attempt: str
    """Name of the attempt."""
    task: int | None
    """Number of the task; None for a held-out problem."""
    retried_as: str
    """Name of the attempt that takes its place."""
    reason: str
    """What cut it off: an error, or that the run was interrupted."""


class Verified(Value):
    """A verifier judged an answer. Stream of the attempt."""

    type: Literal["Verified"] = "Verified"
    version: Literal[2] = 2
    attempt: str
    """Name of the attempt."""
    task: int | None
    """Number of the task; None for a held-out problem."""
    verification: Verification
    """The judgement."""
    second_instance: bool | None
    """Whether the same code is right for other numbers; None where that was not or could not be checked."""
    majority_key: str | None
    """The answer in a normal form, so that attempts that agree can be counted; None without an answer."""
