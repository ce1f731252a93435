"""A task: asked for, proposed, done. Stream `task/<run>/<n>`."""

from typing import Literal

from pydantic import Field

from agent0es.domain.task import Task
from agent0es.domain.values import Role, Share, Value


class TaskRequested(Value):
    """The curriculum decided what to ask the teacher for. Stream `task/<run>/<n>`."""

    type: Literal["TaskRequested"] = "TaskRequested"
    version: Literal[2] = 2
    task: int = Field(ge=1)
    """Number of the task in the run, counted from 1."""
    iteration: int = Field(ge=1)
    """Iteration that the task belongs to."""
    domain: str
    """Task domain."""
    source: Literal["families", "freeform"]
    """families: the teacher chooses a family and its parameters; freeform: it writes task and reference itself."""
    families: dict[str, Share]
    """Families to choose from, each with the difficulty that is wanted of it; for a freeform task, its one name."""
    novelty_bar: Share
    """A task whose novelty is below this is refused."""
    seed: int
    """Seed of the proposal and, derived, of the attempts."""


class TaskProposed(Value):
    """The teacher's proposal was accepted. Stream `task/<run>/<n>`."""

    type: Literal["TaskProposed"] = "TaskProposed"
    version: Literal[2] = 2
    task: int
    """Number of the task."""
    iteration: int
    """Iteration that the task belongs to."""
    proposal: Task
    """The task itself, with its answer."""
    novelty: Share
    """1 − the largest cosine similarity to an earlier task of the run; 1 for the first."""
    nearest: int | None
    """Number of the most similar earlier task."""
    attempts: int = Field(ge=1)
    """How many attempts the student makes."""
    seed: int
    """Attempt k's seed derives from it."""
    demonstrations: int = Field(ge=0)
    """How many worked examples of the family the student is shown."""


class ProposalRejected(Value):
    """A proposal of the teacher could not be used. Stream `task/<run>/<n>`."""

    type: Literal["ProposalRejected"] = "ProposalRejected"
    version: Literal[3] = 3
    task: int
    """Number of the task."""
    iteration: int
    """Iteration that the task belongs to."""
    reason: Literal[
        "unreadable",
        "unknown_family",
        "invalid_parameters",
        "duplicate",
        "not_novel",
        "off_frontier",
        "reference_failed",
        "not_deterministic",
        "inconsistent",
        "verifier_too_lax",
    ]
    """Kind of refusal."""
    detail: str
    """What exactly was wrong."""
    text: str
    """What the teacher wrote. Hostile."""
    tries_left: int = Field(ge=0)
    """How often the teacher may still try this task; at 0 the task is dropped."""
    novelty: Share | None = None
    """Of a task that is not novel, what TaskProposed has of one that is; None where that was not the reason."""
    novelty_bar: Share | None = None
    """What its novelty is below."""


class RewardAssigned(Value):
    """An attempt, or the teacher for a task, was rewarded. Stream `task/<run>/<n>`."""

    type: Literal["RewardAssigned"] = "RewardAssigned"
    version: Literal[1] = 1
    role: Role
    """Who is rewarded."""
    task: int
    """Number of the task."""
    attempt: str | None
    """Name of the attempt; None for the teacher."""
    components: dict[str, float]
    """Component to value in [0, 1], before weights."""
    total: float
    """Weighted sum of the components."""


class TaskCompleted(Value):
    """All attempts at a task were verified and rewarded. Stream `task/<run>/<n>`."""

    type: Literal["TaskCompleted"] = "TaskCompleted"
    version: Literal[1] = 1
    task: int
    """Number of the task."""
    iteration: int
    """Iteration that the task belongs to."""
    family: str
    """Family of the task."""
    difficulty: Share
    """Difficulty of the task."""
    attempts: int
    """How many attempts were made."""
    solved: int
    """How many were correct."""
