"""The built-in signals."""

from agent0es.domain.task import Question
from agent0es.router.base import Evidence

LEAST_SIMILARITY = 0.5
"""Questions less alike than this say nothing of each other: all-MiniLM-L6-v2 gives unrelated ones 0.0 to 0.4."""
DOUBT = 1.0
"""How many neighbours, or drafts, of unknown outcome are added, so that one alone proves little."""


class Agreement:
    """The share of the other drafts that say what the chosen one says (self-consistency, arXiv 2203.11171), with one
    more of which nobody knows what it would say."""

    question: Question | None = None
    looks_back = False

    def value(self, evidence: Evidence) -> float | None:
        """None with fewer than two drafts."""
        chosen, drafts = evidence.chosen, evidence.drafts
        if chosen is None or len(drafts) < 2:
            return None
        alike = sum(draft.answer is not None and draft.key == chosen.key for draft in drafts)
        return (alike - 1 + DOUBT / 2) / (len(drafts) - 1 + DOUBT)


class TokenConfidence:
    """exp of the mean log-probability of the tokens that the chosen draft consists of."""

    question: Question | None = None
    looks_back = False

    def value(self, evidence: Evidence) -> float | None:
        """None from a model that gives no log-probabilities."""
        return None if evidence.chosen is None else evidence.chosen.confidence


class Critique:
    """Whether the model stands by its answer on a second look: P(True), arXiv 2207.05221."""

    question: Question | None = "critique"
    looks_back = False

    def value(self, evidence: Evidence) -> float | None:
        """None where it was not asked, or its reply could not be read."""
        return None if evidence.chosen is None else evidence.chosen.stated.get("critique")


class Neighbours:
    """The share of right answers to the questions most like this one, weighted by similarity (arXiv 2505.12601)."""

    question: Question | None = None
    looks_back = True

    def value(self, evidence: Evidence) -> float | None:
        """None where no judged question is like this one."""
        near = [one for one in evidence.neighbours if one.similarity >= LEAST_SIMILARITY]
        if not near:
            return None
        weight = sum(one.similarity for one in near)
        right = sum(one.similarity for one in near if one.correct)
        return (right + DOUBT / 2) / (weight + DOUBT)
