"""Recompute novelties with the embedder: the one check that needs a model."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from agent0es.decisions.propose import novelty_of
from agent0es.projections.novelty import NoveltyIndex

TOLERANCE = 2e-4
"""The last bits of a vector depend on what it was embedded with, and novelty is rounded to 4 places."""


class Embeds(Protocol):
    """Texts to L2-normalised vectors."""

    async def embed(self, texts: list[str]) -> npt.NDArray[np.float32]: ...


class Novelties:
    """The novelty index of a run as it grows."""

    def __init__(self, embedder: Embeds) -> None:
        self._embedder = embedder
        self._index = NoveltyIndex()
        self._vectors: dict[int, npt.NDArray[np.float32]] = {}

    async def add(self, task: int, description: str) -> None:
        """Take a task in."""
        [vector] = await self._embedder.embed([description])
        self._index.add(task, vector)
        self._vectors[task] = vector

    async def of(self, description: str) -> tuple[float, int | None]:
        """Novelty of a text, and the number of the nearest task."""
        [vector] = await self._embedder.embed([description])
        nearest = self._index.nearest(vector)
        return novelty_of(nearest), None if nearest is None else nearest[1]

    async def confirm(self, description: str, novelty: float, nearest: int | None) -> tuple[float, int | None]:
        """What was recorded, where it is right but for rounding; else what it should be."""
        true = await self.of(description)
        if abs(true[0] - novelty) > TOLERANCE or (true[1] is None) != (nearest is None):
            return true
        if nearest is not None:
            [vector] = await self._embedder.embed([description])
            named = self._vectors.get(nearest)
            if named is None or abs(1.0 - float(vector @ named) - novelty) > TOLERANCE:
                return true
        return novelty, nearest
