"""Places of what templates draw as SVG. Pure: numbers in, numbers out; the words and colours are the templates'."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

HEADROOM = 14.0
"""Over the highest bar, for its number."""


class Bar(NamedTuple):
    """A bar of a histogram, in the units of its drawing."""

    x: float
    y: float
    width: float
    height: float
    value: int
    label: str


def histogram(rows: Sequence[Mapping[str, Any]], width: float = 320, height: float = 120) -> list[Bar]:
    """Ten bars from rows with `tenth` and `tasks`; empty tenths have bars without a height."""
    tasks = {row["tenth"]: row["tasks"] for row in rows}
    most = max(tasks.values(), default=0) or 1
    step, tallest = width / 10, height - HEADROOM
    return [
        Bar(
            round(place * step + 2, 1),
            round(height - tallest * tasks.get(place, 0) / most, 1),
            round(step - 4, 1),
            round(tallest * tasks.get(place, 0) / most, 1),
            tasks.get(place, 0),
            f"{place / 10:.1f} to {(place + 1) / 10:.1f}",
        )
        for place in range(10)
    ]


def points(values: Sequence[float | None], width: float = 120, height: float = 28) -> str:
    """The points of a polyline over the values, 0 at the bottom and 1 at the top; empty without two values."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    step = (width - 4) / (len(known) - 1)
    return " ".join(
        f"{2 + n * step:.1f},{height - 3 - (height - 6) * min(1.0, max(0.0, v)):.1f}" for n, v in enumerate(known)
    )


def place(position: int, first: int, last: int) -> float:
    """Where a position stands between two others, in percent."""
    return round(100 * (position - first) / (last - first), 2) if last > first else 100.0


def thinned(positions: Sequence[tuple[float, Any]], apart: float = 0.8) -> list[tuple[float, Any]]:
    """Marks that are at least so many percent apart; of those nearer the later one stays."""
    kept = [one for one, after in pairwise(positions) if after[0] - one[0] >= apart]
    return [*kept, *positions[-1:]]


def tokens(surprise: Sequence[float], height: float = 40) -> list[tuple[int, float, float]]:
    """Bars over tokens: x, y, height; 5 nats and more are as high as it gets."""
    return [
        (n * 4, round(height - tall, 1), round(tall, 1))
        for n, nats in enumerate(surprise)
        for tall in [max(1.0, height * min(nats, 5.0) / 5.0)]
    ]
