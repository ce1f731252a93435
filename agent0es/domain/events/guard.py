"""What the guard saw after an iteration, and what it did. Stream `run/<run>`."""

from typing import Literal

from pydantic import Field

from agent0es.domain.values import Role, Share, Value


class PracticeMeasured(Value):
    """What an iteration's practice was like, for the guard to compare. Stream `run/<run>`."""

    type: Literal["PracticeMeasured"] = "PracticeMeasured"
    version: Literal[1] = 1
    iteration: int = Field(ge=1)
    """Counted from 1."""
    proposals: int = Field(ge=0)
    """Tasks that were proposed and taken."""
    diversity: Share | None
    """Entropy of their kinds over the logarithm of their number: 1 where no two are of a kind, 0 where all are; None
    with fewer than two. A kind is a family, or the words of a freely written task."""
    repeats: int = Field(ge=0)
    """Proposals that were refused because the task was asked before, or nearly so."""
    computed: int = Field(ge=0)
    """Completed tasks of families, whose labels were computed and are right."""
    confirmed: int = Field(ge=0)
    """Completed tasks that the teacher wrote freely, with a label that most of the attempts gave, too."""
    doubted: int = Field(ge=0)
    """Those with another label than the one answer that most of the attempts gave."""
    answers: int = Field(ge=0)
    """Attempts at the completed tasks of which the model's log-probabilities are known."""
    log_probability: float | None
    """Mean over these of the mean log-probability of a token; minus that is an estimate of the entropy, in nats. None
    without any."""


class AlarmRaised(Value):
    """Something fell that must not fall. Stream `run/<run>`."""

    type: Literal["AlarmRaised"] = "AlarmRaised"
    version: Literal[1] = 1
    iteration: int
    """After which iteration."""
    kind: Literal["diversity", "repetition", "labels", "answers", "held_out", "learning"]
    """diversity, repetition: of the proposals; labels: of freely written tasks; answers: no entropy is left in them;
    held_out: what is in use solves less than the base model; learning: a new adapter solves less than earlier ones."""
    role: Role
    """Whose model is held responsible."""
    value: float
    """What was measured."""
    reference: float
    """What it was held against: the best of earlier, or a bound."""
    message: str
    """What happened, in one line."""


class AdapterRolledBack(Value):
    """An adapter is in use no longer: the one before it is again. Stream `run/<run>`."""

    type: Literal["AdapterRolledBack"] = "AdapterRolledBack"
    version: Literal[1] = 1
    adapter: str
    """Name of the adapter."""
    role: Role
    """Whose adapter."""
    iteration: int
    """After which iteration."""
    to: str | None
    """What is in use from now on; None is the base model."""
    reason: str
    """Why, in one line."""


class RunStopped(Value):
    """The run ends before its last iteration. RunCompleted follows. Stream `run/<run>`."""

    type: Literal["RunStopped"] = "RunStopped"
    version: Literal[1] = 1
    iteration: int
    """After which iteration."""
    why: Literal["alarm", "nothing_learnt"]
    """alarm: as `guard.on_fall` says; nothing_learnt: as `guard.patience` says."""
    reason: str
    """What happened, in one line."""
