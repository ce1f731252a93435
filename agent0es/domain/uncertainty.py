"""How unsure a student is of a task, from what it answered."""

import math
from collections import Counter
from collections.abc import Sequence


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
