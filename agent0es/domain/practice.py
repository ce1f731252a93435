"""What is counted of an iteration's practice, to see whether it collapses: kinds of tasks, repeats, labels, answers."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent0es.domain.events import PracticeMeasured
from agent0es.domain.task import Task, Verification

REPEATS = ("duplicate", "not_novel")
"""Why a proposal is refused that repeats an earlier task."""
_DATA = re.compile(r"\d+(?:[.,]\d+)*|\W+")

Answer = tuple[str | None, Verification | None, float | None]
"""Of an attempt: its answer in a normal form, the judgement, and the confidence of its words."""


@dataclass(frozen=True, slots=True)
class Practice:
    """The counts so far. They mean what those of PracticeMeasured do."""

    kinds: Mapping[str, int] = field(default_factory=dict)
    """Kind of task to how many were proposed."""
    repeats: int = 0
    computed: int = 0
    confirmed: int = 0
    doubted: int = 0
    answers: int = 0
    log_probability: float = 0.0
    """Sum over the answers."""

    def proposed(self, task: Task) -> "Practice":
        """With one more task."""
        kind = kind_of(task)
        return replace(self, kinds={**self.kinds, kind: self.kinds.get(kind, 0) + 1})

    def refused(self, reason: str) -> "Practice":
        """With one more proposal that could not be used."""
        return replace(self, repeats=self.repeats + (reason in REPEATS))

    def completed(self, freeform: bool, answers: Sequence[Answer]) -> "Practice":
        """With one more task whose attempts are judged."""
        label = agrees(answers) if freeform else None
        known = [confidence for _, _, confidence in answers if confidence]
        return replace(
            self,
            computed=self.computed + (not freeform),
            confirmed=self.confirmed + (label is True),
            doubted=self.doubted + (label is False),
            answers=self.answers + len(known),
            log_probability=self.log_probability + sum(math.log(confidence) for confidence in known),
        )

    def measured(self, iteration: int) -> PracticeMeasured:
        """The event."""
        return PracticeMeasured(
            iteration=iteration,
            proposals=sum(self.kinds.values()),
            diversity=diversity(list(self.kinds.values())),
            repeats=self.repeats,
            computed=self.computed,
            confirmed=self.confirmed,
            doubted=self.doubted,
            answers=self.answers,
            log_probability=round(self.log_probability / self.answers, 6) if self.answers else None,
        )


def kind_of(task: Task) -> str:
    """A family's name; of a freely written task the hash of its words, without numbers and signs."""
    if task.parameters:
        return task.family
    words = _DATA.sub(" ", task.description.casefold())
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def diversity(counts: Sequence[int]) -> float | None:
    """Shannon's entropy of the counts over the largest that so many things could have, in [0, 1]; None for fewer than
    two things."""
    total = sum(counts)
    if total < 2:
        return None
    entropy = -sum(count / total * math.log(count / total) for count in sorted(counts))
    return round(abs(entropy) / math.log(total), 4)


def agrees(answers: Sequence[Answer]) -> bool | None:
    """Whether the answer that most of the attempts gave is what the label says; None where most gave none, where only
    one attempt did, or where it was not judged."""
    counts = Counter(key for key, _, _ in answers if key is not None)
    if not counts:
        return None
    [(favourite, count)] = counts.most_common(1)
    if count < 2 or count * 2 <= len(answers):
        return None
    judged = [v.correct for key, v, _ in answers if key == favourite and v is not None and v.correct is not None]
    return judged[0] if judged else None
