"""Requests whose keys and values lie in one cache of transformers, filled up at the left to one length.

What a model remembers between two tokens is the library's affair: windows, states of linear attention and so on. Caches
of plain attention can be put side by side, so requests that come later join those that are being written; with others
they are a cohort of their own.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad


@dataclass(eq=False, slots=True)
class Cohort:
    """Rows of one cache."""

    rows: list[Any]
    """What the caller keeps of each."""
    cache: Any
    """A `transformers.DynamicCache`."""
    mask: Tensor
    """(rows, length): 1 for what was read or written, 0 for what only fills up."""
    positions: Tensor
    """(rows, 1): the place of each row's next token in its own text."""
    tokens: Tensor
    """(rows, 1): the last written, which the model has not read."""

    def joined(self, other: "Cohort") -> "Cohort | None":
        """Both as one; None where their caches can't be put side by side."""
        if not is_plain(self.cache):
            return None
        pairs = list(zip(self.cache.layers, other.cache.layers, strict=True))
        length = max(self.mask.shape[1], other.mask.shape[1])
        for mine, theirs in pairs:
            for name in ("keys", "values"):
                both = (_filled_up(getattr(layer, name), length, -2) for layer in (mine, theirs))
                setattr(mine, name, torch.cat(tuple(both)))
        return Cohort(
            [*self.rows, *other.rows],
            self.cache,
            torch.cat([_filled_up(cohort.mask, length, -1) for cohort in (self, other)]),
            torch.cat([self.positions, other.positions]),
            torch.cat([self.tokens, other.tokens]),
        )

    def keep(self, places: list[int]) -> None:
        """Only the rows at these places, without what then fills up nothing."""
        if len(places) == len(self.rows):
            return
        if not places:
            self.rows = []
            return
        at = torch.tensor(places, device=self.mask.device)
        self.cache.reorder_cache(at)
        self.rows = [self.rows[place] for place in places]
        self.mask, self.positions, self.tokens = self.mask[at], self.positions[at], self.tokens[at]
        self._trim()

    def _trim(self) -> None:
        begins = int(self.mask.any(0).int().argmax())
        if begins and is_plain(self.cache):
            self.mask = self.mask[:, begins:]
            for layer in self.cache.layers:
                layer.keys, layer.values = layer.keys[..., begins:, :], layer.values[..., begins:, :]


def is_plain(cache: Any) -> bool:
    """Whether all that it holds is keys and values of every token: then it may be cut, filled up and put together."""
    from transformers.cache_utils import DynamicLayer

    return all(type(layer) is DynamicLayer for layer in cache.layers)


def _filled_up(values: Tensor, length: int, dimension: int) -> Tensor:
    """The values with zeros before them along a dimension."""
    missing = length - values.shape[dimension]
    return pad(values, (*(0, 0) * (-dimension - 1), missing, 0)) if missing else values
