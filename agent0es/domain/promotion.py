"""The gate: whether a trained adapter is promoted."""

from collections.abc import Collection, Sequence

from agent0es.domain.events import AdapterEvaluated, AdapterPromoted, AdapterRejected, ArmScore
from agent0es.domain.names import BASELINE


def mean_share(scores: Sequence[ArmScore], arms: Collection[str]) -> float:
    """Share solved by the best of `arms` on each split, averaged over the splits so that both weigh the same."""
    splits = sorted({score.split for score in scores})
    best = [max(s.correct / s.problems for s in scores if s.split == split and s.arm in arms) for split in splits]
    return sum(best) / len(best)


def gate(evaluated: AdapterEvaluated, serving: str | None, margin: float) -> AdapterPromoted | AdapterRejected:
    """Promote when the adapter beats what is in use by more than `margin` (a share in [0, 1]).

    In use is the last promoted adapter or, before the first, the base model with its best prompt: an adapter that
    a good prompt would match is not worth using.
    """
    base = {score.arm for score in evaluated.scores if score.arm.startswith(BASELINE)}
    mine = mean_share(evaluated.scores, {evaluated.adapter})
    theirs = mean_share(evaluated.scores, {serving} if serving else base)
    rival = serving or "the base model with its best prompt"
    reason = f"{evaluated.adapter} solves {mine:.3f}, {rival} {theirs:.3f}, margin {margin:g}"
    if mine > theirs + margin:
        return AdapterPromoted(
            adapter=evaluated.adapter,
            role=evaluated.role,
            iteration=evaluated.iteration,
            score=round(mine, 6),
            reason=reason,
        )
    return AdapterRejected(adapter=evaluated.adapter, role=evaluated.role, iteration=evaluated.iteration, reason=reason)
