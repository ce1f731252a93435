"""How a batch of texts lies in memory: one behind the other, and what several of them begin with only once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from agent0es.training.examples import Example


@dataclass(frozen=True, slots=True)
class Family:
    """Texts with a common beginning, which may be empty: the beginning, then the rest of each."""

    first: slice
    """Tokens of the beginning."""
    rests: slice
    """Tokens of the rests."""
    padded: Tensor
    """int64, shape (texts, longest rest): where each token of a rest lies in `rests`; behind its end, 0."""
    unpadded: Tensor
    """Where the tokens of the rests lie in the flattened `padded`."""
    present: Tensor
    """bool, shape of `padded`: whether there is a token."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch of texts."""

    ids: Tensor
    """int64, shape (tokens,)."""
    positions: Tensor
    families: tuple[Family, ...]
    """In the order of ids."""
    predicts: Tensor
    """Indices of the tokens whose successor is learnt, in the order of the examples."""
    labels: Tensor
    """Those successors."""


def pack(examples: Sequence[Example]) -> Packed:
    """Lay out a batch. Trainable first tokens of a text are not learnt: nothing comes before them."""
    ids: list[int] = []
    positions: list[int] = []
    predicts: list[list[int]] = [[] for _ in examples]
    packed = []
    for members, shared in families(examples):
        start = len(ids)
        ids += examples[members[0]].ids[:shared]
        positions += range(shared)
        middle = len(ids)
        longest = max(len(examples[member].ids) for member in members) - shared
        padded = torch.zeros(len(members), longest, dtype=torch.int64)
        present = torch.zeros(len(members), longest, dtype=torch.bool)
        for row, member in enumerate(members):
            example, begin = examples[member], len(ids)
            rest = len(example.ids) - shared
            padded[row, :rest] = torch.arange(begin - middle, begin - middle + rest)
            present[row, :rest] = True
            ids += example.ids[shared:]
            positions += range(shared, len(example.ids))
            for at in range(1, len(example.ids)):
                if example.trainable[at]:  # never within the common beginning
                    predicts[member].append(begin + at - shared - 1 if at > shared else start + shared - 1)
        first, rests = slice(start, middle), slice(middle, len(ids))
        packed.append(Family(first, rests, padded, present.flatten().nonzero()[:, 0], present))
    return Packed(
        ids=torch.tensor(ids),
        positions=torch.tensor(positions),
        families=tuple(packed),
        predicts=torch.tensor([at for one in predicts for at in one], dtype=torch.int64),
        labels=torch.tensor(
            [token for e in examples for token, learn in zip(e.ids[1:], e.trainable[1:], strict=True) if learn],
            dtype=torch.int64,
        ),
    )


def families(examples: Sequence[Example]) -> list[tuple[list[int], int]]:
    """Which texts are read together, and how many tokens of their beginning only once: what leaves the fewest tokens.

    A beginning holds nothing that is learnt, and no text's last token. Neighbours in the order of their tokens have
    most in common, so families are runs of that order; the best cut is found for ever longer ones.
    """
    order = sorted(range(len(examples)), key=lambda n: examples[n].ids)
    own = [_most(examples[n]) for n in order]
    common = [_common(examples[a].ids, examples[b].ids) for a, b in pairwise(order)]
    saved, cut = [0], [0]
    for end in range(1, len(order) + 1):
        best, start, shared = saved[end - 1], end - 1, own[end - 1]
        for begin in range(end - 2, -1, -1):
            shared = min(shared, own[begin], common[begin])
            if not shared:
                break
            if (gain := saved[begin] + (end - begin - 1) * shared) > best:
                best, start = gain, begin
        saved.append(best)
        cut.append(start)
    found: list[tuple[list[int], int]] = []
    alone: list[int] = []
    end = len(order)
    while end:
        begin = cut[end]
        if end - begin == 1:
            alone.append(order[begin])
        else:
            shared = min(*own[begin:end], *common[begin : end - 1])
            found.append((order[begin:end], shared))
        end = begin
    return [*found, (alone, 0)] if alone else found


def _most(example: Example) -> int:
    """How many first tokens may be shared."""
    learnt = example.trainable.index(True) if True in example.trainable else len(example.ids)
    return min(learnt, len(example.ids) - 1)


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
