"""How many questions may go to the model that costs more, so that a question costs no more than so much on average."""

from collections.abc import Sequence

EVERYTHING = 1.0
"""The threshold where the bound allows every question to be asked of the model that costs more."""


def threshold_within(history: Sequence[tuple[float | None, float]], bound: float, most: float) -> float:
    """The highest threshold at which a question is expected to cost at most `bound` dollars.

    `history` are earlier questions: how sure the local answer was (None counts as 0), and what asking the other model
    cost, or at most would have cost. A question costs C(t): its cost where it was less sure than t, else 0. By
    conformal risk control (arXiv 2208.02814, eq. 4), with costs of at most `most`,

        t̂ = sup { t : (Σᵢ Cᵢ(t) + most) / (n + 1) ≤ bound }

    and then E[C(t̂)] ≤ bound for a question that is exchangeable with the n earlier ones. No verdicts are needed. C3PO
    (arXiv 2511.07396) bounds the probability of passing a cost in the same way. 0 where nothing can be asked yet: it
    takes most / bound − 1 earlier questions. Pure.
    """
    left = bound * (len(history) + 1) - most
    if left < 0.0:
        return 0.0
    for sure, cost in sorted((sure or 0.0, cost) for sure, cost in history):
        left -= cost
        if left < 0.0:
            return sure  # those that are less sure than this
    return EVERYTHING
