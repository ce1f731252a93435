"""The port of router signals: what they are given, and what they say.

A signal is a class that is registered in the entry point group `agent0es.router_signals` and called without arguments.
It is a pure function of the evidence, which the log holds, so that `replay --verify` can compute it again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent0es import plugins
from agent0es.domain import events as ev
from agent0es.domain.task import Question

DIGITS = 4
"""To which a signal, and a prediction, is rounded: what the log holds is what is compared."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An attempt that has ended. Its texts are hostile."""

    attempt: str
    """Name of the attempt."""
    answer: str | None
    """Final answer as written; None when there is none."""
    key: str | None
    """The answer in the domain's normal form: answers that say the same have the same."""
    confidence: float | None
    """exp of the mean token log-probability of what was written; None where nobody knows."""
    observed: bool
    """True when the answer is, to the letter, what the last tool call printed."""
    tool_errors: int
    """How many tool calls did not end well."""
    correct: bool | None = None
    """Whether a verifier found it right; None is undecided. No signal may look at it: it is what they predict."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    stated: Mapping[Question, float | None] = field(default_factory=dict)
    """What the model said of its answer, as a number in [0, 1]; None where that could not be read."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the local model's answer to a question."""

    question: str
    """Hostile."""
    domain: str
    drafts: tuple[Draft, ...] = ()
    """Its attempts, in order; empty before it was asked."""
    chosen: Draft | None = None
    """The one that would be the answer; None before, and where none has an answer."""
    neighbours: tuple[ev.Neighbour, ...] = ()
    """Its judged answers to the questions most like this one, nearest first; empty for a signal that needs none."""


class Signal(Protocol):
    """How likely the chosen draft is right, by one kind of evidence."""

    question: Question | None
    """What the model must be asked about each of its answers; None for nothing."""
    looks_back: bool
    """Whether it needs neighbours. To find them takes embeddings."""

    def value(self, evidence: Evidence) -> float | None:
        """A number in [0, 1]; None where the evidence says nothing. Pure."""
        ...


Signals = Mapping[str, Signal]
"""By name, in the order of the configuration."""


def load_signals(names: Iterable[str]) -> Signals:
    """The signals of these names. Raises ConfigurationError for one that nothing registers or that can't be used."""
    return {name: plugins.make(plugins.ROUTER_SIGNALS, name, fault=_fault) for name in names}


def _fault(signal: Any) -> str | None:
    for member in ("question", "looks_back", "value"):
        if not hasattr(signal, member):
            return f"has no {member}, which every router signal has"
    if (found := signal.value(Evidence("", ""))) is not None:
        return f"says {found!r} of no evidence; it must be None"
    return None


def choose(drafts: Sequence[Draft]) -> Draft | None:
    """The draft that most others agree with: the first of those that say what most say; None without an answer."""
    counts = Counter(draft.key for draft in drafts if draft.answer is not None)
    if not counts:
        return None
    most = max(counts.values())
    return next(draft for draft in drafts if draft.answer is not None and counts[draft.key] == most)


def values(signals: Signals, evidence: Evidence) -> dict[str, float | None]:
    """What each signal says."""
    found = {name: signal.value(evidence) for name, signal in signals.items()}
    return {name: None if said is None else round(said, DIGITS) for name, said in found.items()}


def prior(said: Mapping[str, float | None], weights: Mapping[str, float]) -> float | None:
    """The weighted mean of the signals that say something; None where none does. A guess that no history has tested."""
    known = [(weights[name], value) for name, value in said.items() if value is not None and name in weights]
    total = sum(weight for weight, _ in known)
    return sum(weight * value for weight, value in known) / total if total else None
