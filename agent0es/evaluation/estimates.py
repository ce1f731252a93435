"""What answers come to: pass@k, majority@k, Wilson intervals, and the paired test between two ways of answering."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent0es.domain.mcnemar import mcnemar


def pass_at(k: int, samples: int, correct: int) -> float:
    """The chance that at least one of `k` answers is right, estimated without bias from `samples` answers of which
    `correct` are: 1 − C(samples − correct, k) / C(samples, k) (arXiv 2107.03374, eq. 1). `k` is at most `samples`."""
    return 1.0 - math.comb(samples - correct, k) / math.comb(samples, k)


def ks(samples: int) -> list[int]:
    """The k for which pass@k is told: 1, 2, 4, 8, … and all."""
    return sorted({1, samples, *(2**power for power in range(1, samples.bit_length()) if 2**power < samples)})


def wilson(share: float, problems: int) -> tuple[float, float]:
    """The 95% interval of a share of problems (Wilson 1927). The share may be a mean of shares: with several samples a
    problem the interval is then too wide rather than too narrow."""
    z = 1.959963984540054
    centre = share + z * z / (2 * problems)
    spread = z * math.sqrt(share * (1 - share) / problems + z * z / (4 * problems * problems))
    scale = 1 + z * z / problems
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def majority(keys: Sequence[str | None]) -> int | None:
    """Which of the answers, given in normal form, is the first with the most frequent one; None where nobody answered.
    Between two as frequent the one given first counts."""
    counts = Counter(key for key in keys if key is not None)
    if not counts:
        return None
    most = max(counts.values())
    return next(place for place, key in enumerate(keys) if key is not None and counts[key] == most)


@dataclass(frozen=True, slots=True)
class Paired:
    """Two ways of answering on the problems that both were asked."""

    problems: int
    share: float
    """Of the first."""
    rival_share: float
    better: int
    """Problems that the first alone solved."""
    worse: int
    """Problems that the second alone solved."""
    p_value: float
    """Two-sided exact McNemar test (1947)."""


def paired(one: Mapping[str, bool], other: Mapping[str, bool]) -> Paired | None:
    """The comparison of outcomes by problem; None where no problem is in both."""
    both = [(one[problem], other[problem]) for problem in one if problem in other]
    if not both:
        return None
    better = sum(mine and not theirs for mine, theirs in both)
    worse = sum(theirs and not mine for mine, theirs in both)
    shares = [sum(outcomes) / len(both) for outcomes in zip(*both, strict=True)]
    return Paired(len(both), shares[0], shares[1], better, worse, mcnemar(better, worse, two_sided=True))
