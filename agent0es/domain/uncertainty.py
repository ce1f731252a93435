"""How unsure a student is of a task, from what it answered."""

import math
from collections import Counter
from collections.abc import Sequence

from agent0es.domain.calibration import logit


def majority_share(answers: Sequence[str | None]) -> float:
    """p̂ of Agent0 (arXiv 2511.16043, eq. 2): the share of the attempts that gave the most frequent answer.

    `answers` are normal forms; None (no answer) never agrees with anything. 0 when there is no answer at all.
    """
    counts = Counter(answer for answer in answers if answer is not None)
    return max(counts.values()) / len(answers) if counts else 0.0


def confidence(logprobs: Sequence[float]) -> float:
    """exp of the mean token log-probability, in [0, 1]; 0 when nothing was written."""
    return min(1.0, math.exp(sum(logprobs) / len(logprobs))) if logprobs else 0.0


def critique_confidence(verdict: bool | None, logprob: float) -> float | None:
    """P(True) (Kadavath et al. 2022, arXiv 2207.05221): from a student's yes or no on its own answer, and the
    log-probability of that word. None when it said neither.

    The other word's probability is not known, so what is left counts half for each: a small model that spreads it over
    many words says yes or no with little weight, and then this is near one half, on the side of what it said.
    """
    if verdict is None:
        return None
    said = (1.0 + min(1.0, math.exp(logprob))) / 2.0
    return said if verdict else 1.0 - said


def combined(signals: Sequence[float | None]) -> float:
    """The signals that there are as one confidence: their mean in log-odds; 0.5 without any.

    For before a log is there to fit weights from, see `calibration.fit_combination`.
    """
    known = [logit(signal) for signal in signals if signal is not None]
    return 1.0 / (1.0 + math.exp(-sum(known) / len(known))) if known else 0.5
