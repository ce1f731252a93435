"""The next token of every request in a batch. Pure: chance comes in as numbers."""

from torch import Tensor

_MOST_LIKELY = 512
"""Tokens among which a nucleus is looked for first: sorting a whole vocabulary takes longer than a step of a small
model."""


def choose(logits: Tensor, temperature: Tensor, top_p: Tensor, chance: Tensor) -> Tensor:
    """Token ids (rows). `logits` is (rows, vocabulary) in float32, -inf for what may not be written; `temperature` 0 is
    greedy; `chance` is uniform in [0, 1): the token is where it falls in the cumulated probabilities."""
    ids = logits.argmax(-1)
    for rows, pick in (
        ((temperature > 0) & (top_p >= 1), _from_all),
        ((temperature > 0) & (top_p < 1), _from_nucleus),
    ):
        at = rows.nonzero()[:, 0]
        if len(at):
            probabilities = (logits[at] / temperature[at, None]).softmax(-1)
            ids[at] = pick(probabilities, top_p[at], chance[at])
    return ids


def _from_all(probabilities: Tensor, top_p: Tensor, chance: Tensor) -> Tensor:
    return _fall(probabilities, chance)


def _from_nucleus(probabilities: Tensor, top_p: Tensor, chance: Tensor) -> Tensor:
    """From the fewest most likely tokens whose probabilities add up to `top_p` (Holtzman et al. 2020)."""
    count = min(_MOST_LIKELY, probabilities.shape[-1])
    likely, ids = probabilities.topk(count)
    if bool((likely.sum(-1) < top_p).any()):
        likely, ids = probabilities.sort(descending=True)
    before = likely.cumsum(-1) - likely
    place = _fall(likely.masked_fill(before >= top_p[:, None], 0.0), chance)
    return ids.gather(-1, place[:, None])[:, 0]


def _fall(weights: Tensor, chance: Tensor) -> Tensor:
    """The first place whose cumulated weight is more than the chance's share of all."""
    cumulated = weights.cumsum(-1)
    target = chance[:, None] * cumulated[:, -1:]
    place = (cumulated <= target).sum(-1, keepdim=True)
    # By rounding, the share may be all there is: then the last place of any weight.
    last = (cumulated < cumulated[:, -1:]).sum(-1, keepdim=True)
    return place.minimum(last)[:, 0]
