"""Task, solution and verification: the values that events carry."""

from typing import Literal

from pydantic import Field

from agent0es.domain.values import Value

Scalar = int | float | str | bool


class Task(Value):
    """One problem with a known answer."""

    domain: str
    """Task domain, e.g. `math`."""
    family: str
    """The parametrised generator that the task belongs to, e.g. `gcd`."""
    parameters: dict[str, Scalar]
    """The values that make this instance of the family."""
    wording: int = Field(ge=0)
    """Index of the family's wording that was used."""
    description: str
    """The text that the student reads."""
    reference: str
    """The true answer, computed by the family, never by a model."""
    reference_action: str
    """The tool call that computes the answer, e.g. `python[math.gcd(48, 36)]`."""
    difficulty: float = Field(ge=0.0, le=1.0)
    """0 is easiest, 1 is hardest within the family."""


class Solution(Value):
    """What an attempt came to. Its text and tool calls are in the ModelCalled and ToolCalled events before it."""

    answer: str | None
    """Final answer as written; None when the student gave none."""
    confidence: float = Field(ge=0.0, le=1.0)
    """exp of the mean token log-probability of what the model wrote."""
    tool_calls: int = Field(ge=0)
    """How many tool calls were made."""
    tool_errors: int = Field(ge=0)
    """How many of them did not end with status ok."""
    observed: bool
    """True when the answer is, to the letter, what the last tool call printed."""
    ignored: tuple[str, ...] = ()
    """What the parser could not read, in the student's words, shortened."""


class Verification(Value):
    """A verifier's judgement of one answer."""

    correct: bool | None
    """True, False, or None when the verifier could not decide. Undecided is never rewarded."""
    score: float = Field(ge=0.0, le=1.0)
    """1 for correct; partial credit where a domain gives it."""
    confidence: float = Field(ge=0.0, le=1.0)
    """How sure the verifier is of its judgement."""
    method: Literal["none", "exact", "numeric", "symbolic"]
    """How it was decided; `none` when there was no answer to judge."""
    explanation: str
    """One line that a person can read."""
