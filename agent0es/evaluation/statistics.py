"""Intervals and tests for shares of solved problems."""

from collections import defaultdict
from collections.abc import Mapping

from agent0es.domain.events import ArmScore, Comparison
from agent0es.domain.mcnemar import mcnemar
from agent0es.evaluation.suite import Split

RESAMPLES = 2000


def score(arm: str, split: Split, problems: Mapping[int, str], solved: Mapping[int, bool]) -> ArmScore:
    """How an arm did on `problems` (number to family), with the Wilson interval (Wilson 1927) at 95%."""
    from scipy.stats import binomtest

    families: dict[str, list[bool]] = defaultdict(list)
    for number, family in problems.items():
        families[family].append(solved[number])
    correct = sum(sum(outcomes) for outcomes in families.values())
    interval = binomtest(correct, len(problems)).proportion_ci(0.95, method="wilson")
    return ArmScore(
        arm=arm,
        split=split,
        correct=correct,
        problems=len(problems),
        low=round(float(interval.low), 4),
        high=round(float(interval.high), 4),
        by_family={name: (sum(outcomes), len(outcomes)) for name, outcomes in sorted(families.items())},
    )


def compare(
    split: Split,
    problems: Mapping[int, str],
    baseline: tuple[str, Mapping[int, bool]],
    arm: tuple[str, Mapping[int, bool]],
    seed: int,
) -> Comparison:
    """Two arms, each (name, outcomes), on the same problems (number to family).

    Gives the difference of shares with a bootstrap interval, and the exact McNemar test.

    The bootstrap resamples families, not problems: instances of one family rise and fall together, and what is
    asked is how the arms compare on other families like these.
    """
    import numpy as np

    families: dict[str, list[int]] = defaultdict(list)
    for number, family in problems.items():
        families[family].append(int(arm[1][number]) - int(baseline[1][number]))
    gains = np.array([sum(g) for g in families.values()], dtype=float)
    sizes = np.array([len(g) for g in families.values()], dtype=float)
    drawn = np.random.default_rng(seed).integers(len(gains), size=(RESAMPLES, len(gains)))
    means = gains[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    better = sum(1 for g in families.values() for gain in g if gain > 0)
    worse = sum(1 for g in families.values() for gain in g if gain < 0)
    return Comparison(
        split=split,
        baseline=baseline[0],
        arm=arm[0],
        difference=round(float(gains.sum() / sizes.sum()), 4),
        low=round(float(low), 4),
        high=round(float(high), 4),
        p_value=mcnemar(better, worse, two_sided=True),
        better=better,
        worse=worse,
    )
