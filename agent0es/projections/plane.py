"""Vectors as points on a plane, so that a person can see which lie near each other."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy
    from numpy.typing import NDArray

DIGITS = 4


def plane(vectors: "Sequence[NDArray[numpy.float32]]") -> list[tuple[float, float]]:
    """Coordinates in [-1, 1], one pair a vector: the two directions in which the vectors differ most (principal
    components). The signs are fixed, so the same vectors always give the same picture. Pure."""
    import numpy

    if not len(vectors):
        return []
    rows = numpy.asarray(vectors, numpy.float64)
    centred = rows - rows.mean(axis=0)
    _, axes = numpy.linalg.eigh(centred.T @ centred)
    axes = axes[:, [-1, -2]]
    axes *= numpy.where(numpy.take_along_axis(axes, abs(axes).argmax(axis=0)[None], 0) < 0.0, -1.0, 1.0)
    points = centred @ axes
    largest = abs(points).max()
    points = numpy.round(points / largest, DIGITS) + 0.0 if largest > 0.0 else numpy.zeros_like(points)
    return [(float(x), float(y)) for x, y in points]
