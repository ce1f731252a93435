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


def answer_entropy(answers: Sequence[str | None]) -> float:
    """Shannon entropy of the answers in [0, 1]: 0 when all agree, 1 when no two do. A missing answer is its own."""
    if len(answers) < 2:
        return 0.0
    groups = Counter(answer if answer is not None else f"missing {i}" for i, answer in enumerate(answers))
    shares = [count / len(answers) for count in groups.values()]
    return min(1.0, max(0.0, -sum(p * math.log(p) for p in shares) / math.log(len(answers))))


def confidence(logprobs: Sequence[float]) -> float:
    """exp of the mean token log-probability, in [0, 1]; 0 when nothing was written."""
    return min(1.0, math.exp(sum(logprobs) / len(logprobs))) if logprobs else 0.0


def token_entropy(mean_logprobs: Sequence[float], tokens: Sequence[int]) -> float:
    """Entropy of what was written, in nats a token, from the generations' means and lengths; 0 when nothing was.

    −log p of a sampled token has the entropy of its distribution as its mean, so this is an unbiased estimate at
    temperature 1; a low temperature writes what is likely, and lowers it.
    """
    total = sum(tokens)
    pairs = zip(mean_logprobs, tokens, strict=True)
    return max(0.0, -sum(mean * count for mean, count in pairs) / total) if total else 0.0


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
