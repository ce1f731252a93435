"""McNemar's exact test (1947): whether one way of answering is better than another on the same problems."""

import math


def mcnemar(better: int, worse: int, *, two_sided: bool = False) -> float:
    """The chance of so many `better` or more, of those that only one of the two ways solved, if both were as good:
    P(X ≥ better), X ~ Binomial(better + worse, ½). `two_sided`: of a split at least as uneven, in whichever favour."""
    if two_sided:
        return min(1.0, 2 * mcnemar(max(better, worse), min(better, worse)))
    discordant = better + worse
    ways, total = math.comb(discordant, better), 0
    for count in range(better, discordant + 1):
        total += ways
        ways = ways * (discordant - count) // (count + 1)
    return total / (1 << discordant)
