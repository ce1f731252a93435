"""The gate: whether a trained adapter is promoted.

An adapter must be ahead of its rival by more than the margin, and the exact paired test must bear that out. Which arm
is its rival, and how often a rival is challenged, must not make a promotion by luck more likely than the significance
says:

- Before the first promotion the rival is the base model with its best prompt. Which prompt is best is seen only after
  all have answered, so the adapter is tested against every one of them, and the hardest test counts. That is an
  intersection-union test (Berger 1982): it holds its level without a correction, since whichever prompt is really the
  best, the adapter must have passed the test against that one.
- Every further adapter is one more try against the same rival on the same problems. The n-th of them is tested at
  significance / (n·(n + 1)); all levels add up to the significance. So a rival, however often it is challenged, gives
  way to an adapter that is no better with at most that probability, by Bonferroni whatever the tries have in common.
  After a promotion counting starts again: the new rival did well on these very problems, which makes it harder to beat.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import product

from agent0es.domain.events import (
    AdapterEvaluated,
    AdapterPromoted,
    AdapterRejected,
    ArmScore,
    Comparison,
    Leak,
    PairedTest,
)
from agent0es.domain.mcnemar import mcnemar
from agent0es.domain.names import BASELINE
from agent0es.domain.text import counted


@dataclass(frozen=True, slots=True)
class Rule:
    """What a user can set of the gate."""

    margin: float = 0.0
    """By how much an adapter must be ahead, a share in [0, 1]."""
    significance: float | None = 0.05
    """How likely a promotion by luck may be, for all challengers of one rival together; None for no test."""


def mean_share(scores: Sequence[ArmScore], arms: Collection[str]) -> float:
    """Share solved by the best of `arms` on each split, averaged over the splits so that both weigh the same."""
    splits = sorted({score.split for score in scores})
    best = [max(s.correct / s.problems for s in scores if s.split == split and s.arm in arms) for split in splits]
    return sum(best) / len(best)


def level_of(significance: float, look: int) -> float:
    """What the `look`-th challenger of a rival, from 1, is tested at. Over all of them this adds up to the whole."""
    return significance / (look * (look + 1))


def hardest_test(
    comparisons: Sequence[Comparison], rivals: Collection[str], significance: float, look: int
) -> PairedTest | None:
    """The test with the largest p-value, of all ways to take one rival for each split. None where the log has no
    counts, which were not written down before version 2 of AdapterEvaluated."""
    splits = list(dict.fromkeys(c.split for c in comparisons))
    by_split = [[c for c in comparisons if c.split == split and c.baseline in rivals] for split in splits]
    tests = []
    for chosen in product(*by_split):
        better, worse = 0, 0
        for comparison in chosen:
            if comparison.better is None or comparison.worse is None:
                return None
            better, worse = better + comparison.better, worse + comparison.worse
        tests.append(
            PairedTest(
                rivals=tuple(c.baseline for c in chosen),
                better=better,
                worse=worse,
                p_value=mcnemar(better, worse),
                level=level_of(significance, look),
                look=look,
            )
        )
    return max(tests, key=lambda test: test.p_value)


def gate(
    evaluated: AdapterEvaluated, serving: str | None, rule: Rule, look: int = 1, leaks: Sequence[Leak] = ()
) -> AdapterPromoted | AdapterRejected:
    """Promote an adapter that is better than what is in use, by the margin and by the test, and that learnt none of the
    held-out problems (`leaks`). `look` says which challenger of its rival it is, from 1.

    In use is the last promoted adapter or, before the first, the base model with its best prompt: an adapter that
    a good prompt would match is not worth using.
    """
    arms = {score.arm for score in evaluated.scores}
    if serving and serving not in arms:
        return AdapterRejected(
            adapter=evaluated.adapter,
            role=evaluated.role,
            iteration=evaluated.iteration,
            reason=f"{serving}, which {evaluated.adapter} must beat, was not asked the held-out problems: what was in "
            "use then has been retracted since; fork the run before the evaluation",
        )
    rivals = {serving} if serving else {arm for arm in arms if arm.startswith(BASELINE)}
    mine, theirs = mean_share(evaluated.scores, {evaluated.adapter}), mean_share(evaluated.scores, rivals)
    rival = serving or "the base model with its best prompt"
    reason = f"{evaluated.adapter} solves {mine:.3f}, {rival} {theirs:.3f}, margin {rule.margin:g}"
    test = None
    passes = mine > theirs + rule.margin and not leaks
    said_of_test = ""
    if rule.significance is not None:
        test = hardest_test(evaluated.comparisons, rivals, rule.significance, look)
        passes = passes and test is not None and test.p_value <= test.level
        said_of_test = _said_of_test(test)
    reason = "; ".join(filter(None, [_said_of_leaks(evaluated.adapter, leaks), reason, said_of_test]))
    if passes:
        return AdapterPromoted(
            adapter=evaluated.adapter,
            role=evaluated.role,
            iteration=evaluated.iteration,
            score=round(mine, 6),
            reason=reason,
            test=test,
        )
    return AdapterRejected(
        adapter=evaluated.adapter,
        role=evaluated.role,
        iteration=evaluated.iteration,
        reason=reason,
        test=test,
        leaks=tuple(leaks),
    )


def _said_of_test(test: PairedTest | None) -> str:
    if test is None:
        return "the log has no counts for the paired test, because an older agent0es evaluated it"
    problems = counted(test.better, "problem")
    return f"better on {problems}, worse on {test.worse}, p {test.p_value:.3g}, which may be {test.level:.3g} at most"


def _said_of_leaks(adapter: str, leaks: Sequence[Leak]) -> str:
    """The first of the problems that it learnt, and how many more there are."""
    if not leaks:
        return ""
    first = leaks[0]
    how = "is" if first.same else f"is nearly ({first.overlap:.0%} of its text)"
    more = f", and {counted(len(leaks) - 1, 'more problem')} like this" if len(leaks) > 1 else ""
    return f"{adapter} learnt what it is asked: its example {first.source} {how} held-out problem {first.problem}{more}"
