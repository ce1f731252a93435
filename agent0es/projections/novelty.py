"""How near a task is to those before it: exact search over embeddings, in memory.

A projection that lives as long as a run's process: rebuilt from the TaskProposed events and their embeddings, and the
same whatever the batches were in which they came.

Every vector is compared with every query, by a FAISS flat index that holds them in half precision: what limits a search
is how fast memory is read, and half as many bytes are read. What comes near enough is compared again in float32, so
the answer is that of an exact search.
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
HALF_PRECISION = 2.0**-11
"""Bound on what half precision moves the inner product of two unit vectors by, since it is one on each number."""
MORE = 32
"""How many more than k are looked at first, so that ties at the end seldom take a second look."""


class NoveltyIndex:
    """Task numbers by embedding."""

    def __init__(self) -> None:
        self._index: Any = None
        self._vectors: Any = None
        """float32, shape (capacity, d), the first `size` rows in use."""
        self._tasks: list[int] = []

    @classmethod
    def rebuild(cls, tasks: Iterable[int], vectors: "Iterable[Vector]") -> "NoveltyIndex":
        """An index that holds these tasks. Raises ValueError when there are not as many of both."""
        import numpy

        index, numbers, rows = cls(), list(tasks), list(vectors)
        if len(numbers) != len(rows):
            raise ValueError(f"{len(numbers)} tasks and {len(rows)} vectors")
        if rows:
            index._append(numbers, _unit(numpy.array(rows, numpy.float32)))
        return index

    @property
    def size(self) -> int:
        """How many tasks it holds."""
        return len(self._tasks)

    def add(self, task: int, vector: "Vector") -> None:
        """Add a task. Raises ValueError when the vector's length is not that of the others, or its norm is 0."""
        self._append([task], _unit(vector))

    def nearest(self, vector: "Vector", k: int = 1) -> tuple[float, int] | None:
        """Cosine similarity and number of the k-th most similar task; None when there are fewer than k."""
        if k < 1:
            raise ValueError(f"k is {k}; it counts from 1")
        found = self.neighbours(vector, k)
        return found[k - 1] if len(found) == k else None

    def neighbours(self, vector: "Vector", k: int) -> list[tuple[float, int]]:
        """Cosine similarities and numbers of the k most similar tasks, or of all when there are fewer.

        Among equals the one with the lowest number comes first, so the order of adding does not show.
        """
        if not self.size:
            return []
        row = _unit(vector)
        self._check(row)
        count = min(self.size, k + MORE)
        similarities, places = self._index.search(row, count)
        similarities, places = similarities[0], places[0]
        if count > k:
            bar = float(similarities[k - 1]) - 2 * (HALF_PRECISION + RESOLUTION)
            if count < self.size and similarities[-1] > bar:
                _, similarities, places = self._index.range_search(row, bar)
            places = places[similarities > bar]
        # In double precision: in single, equal rows may differ by where they stand, which rounding then can show.
        exact = self._vectors[places].astype("f8") @ row[0].astype("f8")
        ranked = [(round(float(s), DIGITS), self._tasks[place]) for s, place in zip(exact, places, strict=True)]
        return sorted(ranked, key=lambda item: (-item[0], item[1]))[:k]

    def _append(self, tasks: list[int], rows: Any) -> None:
        import numpy

        if self._index is None:
            self._index = _flat_index(rows.shape[1])
            self._vectors = numpy.empty((0, rows.shape[1]), numpy.float32)
        self._check(rows)
        size, wanted = self.size, self.size + len(tasks)
        if wanted > len(self._vectors):
            grown = numpy.empty((max(wanted, 2 * len(self._vectors)), rows.shape[1]), numpy.float32)
            grown[:size] = self._vectors[:size]
            self._vectors = grown
        self._vectors[size:wanted] = rows
        self._index.add(rows)
        self._tasks.extend(tasks)

    def _check(self, rows: Any) -> None:
        if rows.shape[1] != self._index.d:
            raise ValueError(f"a vector of {rows.shape[1]} numbers; the index holds vectors of {self._index.d}")


def _flat_index(dimension: int) -> Any:
    import faiss

    # Two threads share one query so badly that it takes four times as long; this is FAISS's own number of threads.
    faiss.omp_set_num_threads(1)
    return faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def _unit(vectors: "Vector") -> Any:
    """The vectors as rows of float32 with norm 1, so that inner products are cosines."""
    import numpy

    rows = numpy.atleast_2d(numpy.asarray(vectors, dtype=numpy.float32))
    norms = numpy.linalg.norm(rows, axis=1, keepdims=True)
    if not (numpy.isfinite(norms) & (norms > 0.0)).all():
        raise ValueError("a vector without a direction has no nearest task")
    return numpy.ascontiguousarray(rows / norms)
