"""Task, solution and verification: the values that events carry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from agent0es.domain.values import Value

Scalar = int | float | str | bool
Question = Literal["confidence", "critique"]
"""What a student may be asked about its own answer: how sure it is, in words; whether it stands by it."""


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
    """What the verifier compares with: the true answer, or what the domain needs in its place, e.g. hidden
    tests as JSON. Computed by the family, or by a freeform task's own program in the sandbox; never a model's word."""
    reference_action: str
    """The tool call that computes the answer, e.g. `python[math.gcd(48, 36)]`; empty where there is no single one."""
    difficulty: float = Field(ge=0.0, le=1.0)
    """0 is easiest, 1 is hardest within the family."""
    files: dict[str, str] = Field(default_factory=dict)
    """What lies in the working directory when an attempt starts: relative path to text."""


class Solution(Value):
    """The result of an attempt. Its text and tool calls are in the ModelCalled and ToolCalled events before it."""

    answer: str | None
    """Final answer as written; None when the student gave none."""
    confidence: float | None = Field(ge=0.0, le=1.0)
    """exp of the mean token log-probability of what the model wrote; None from a model that gives none."""
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
    method: Literal["none", "exact", "numeric", "symbolic", "formal", "proof", "tests", "milestones"]
    """How it was decided; `none` when there was no answer to judge."""
    explanation: str
    """One line that a person can read."""
    breakdown: dict[str, float] = Field(default_factory=dict)
    """Part to its score in [0, 1], where an answer has parts: tests, milestones, steps of a derivation."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a verifier judges."""

    answer: str | None
    """Final answer as written. Hostile."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What lies in the working directory at the end: relative path to text. Hostile."""
