"""How near a task is to those before it: exact search over embeddings, in memory.

A projection that lives as long as a run's process: rebuilt from the TaskProposed events and their embeddings, and the
same whatever the batches were in which they came.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Vector = Sequence[float] | NDArray[numpy.floating[Any]]

DIGITS = 6
RESOLUTION = 10.0**-DIGITS
"""Similarities closer than this are equal; float32 has no more to say."""


class NoveltyIndex:
    """Task numbers by embedding, FAISS `IndexFlatIP`: every vector is compared, nothing is approximated."""

    def __init__(self) -> None:
        self._index: Any = None
        self._tasks: list[int] = []

    @classmethod
    def rebuild(cls, tasks: Iterable[int], vectors: Iterable["Vector"]) -> "NoveltyIndex":
        """An index that holds these tasks. Raises ValueError when there are not as many of both."""
        index = cls()
        for task, vector in zip(tasks, vectors, strict=True):
            index.add(task, vector)
        return index

    @property
    def size(self) -> int:
        """How many tasks it holds."""
        return len(self._tasks)

    def add(self, task: int, vector: "Vector") -> None:
        """Add a task. Raises ValueError when the vector's length is not that of the others, or its norm is 0."""
        row = _unit(vector)
        if self._index is None:
            import faiss

            self._index = faiss.IndexFlatIP(row.shape[1])
        self._check(row)
        self._index.add(row)
        self._tasks.append(task)

    def nearest(self, vector: "Vector", k: int = 1) -> tuple[float, int] | None:
        """Cosine similarity and number of the k-th most similar task; None when there are fewer than k.

        Among equals the one with the lowest number comes first, so the order of adding does not show.
        """
        if k < 1:
            raise ValueError(f"k is {k}; it counts from 1")
        if k > self.size:
            return None
        row = _unit(vector)
        self._check(row)
        similarities, places = self._index.search(row, k)
        # FAISS sums in an order that depends on a vector's place, so equals may differ in the last digits: look once
        # more, a little wider, and settle ties by number.
        _, more_similarities, more_places = self._index.range_search(row, float(similarities[0][-1]) - 2 * RESOLUTION)
        found = {*zip(similarities[0], places[0], strict=True), *zip(more_similarities, more_places, strict=True)}
        ranked = {self._tasks[place]: round(float(similarity), DIGITS) for similarity, place in found}
        task, similarity = sorted(ranked.items(), key=lambda item: (-item[1], item[0]))[k - 1]
        return similarity, task

    def _check(self, row: Any) -> None:
        if row.shape[1] != self._index.d:
            raise ValueError(f"a vector of {row.shape[1]} numbers; the index holds vectors of {self._index.d}")


def _unit(vector: "Vector") -> Any:
    """The vector as one row of float32 with norm 1, so that inner products are cosines."""
    import numpy

    row = numpy.asarray(vector, dtype=numpy.float32).reshape(1, -1)
    norm = float(numpy.linalg.norm(row))
    if not norm > 0.0 or not numpy.isfinite(norm):
        raise ValueError("a vector without a direction has no nearest task")
    return numpy.ascontiguousarray(row / norm)
