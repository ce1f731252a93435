"""How long an answer will take, from how long earlier ones took."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LEAST = 8
"""Attempts to fit a line on; of fewer their mean is told."""
OF_DOMAIN = 3
"""Attempts of a task domain from which on its own count of written tokens is expected."""


@dataclass(frozen=True, slots=True)
class Timed:
    """An attempt that has ended."""

    domain: str
    characters: int
    """Of the question."""
    read: int
    """Tokens, over all its turns."""
    written: int
    seconds: float
    """Of its generations together."""


def expected_seconds(history: Sequence[Timed], domain: str, characters: int) -> float | None:
    """Seconds that an answer to a question of so many characters will take; None without any history.

    Three lines are fitted by least squares: tokens read by characters of the question, and seconds by tokens read and
    written. As many tokens are written as on average in this domain. The result is no less and no more than what was
    seen. Pure.
    """
    if not history:
        return None
    seconds = [one.seconds for one in history]
    if len(history) < LEAST:
        return sum(seconds) / len(seconds)
    import numpy as np

    read = np.array([one.read for one in history], float)
    written = np.array([one.written for one in history], float)
    asked = np.array([one.characters for one in history], float)
    of_domain = np.array([one.domain == domain for one in history])
    will_write = written[of_domain].mean() if of_domain.sum() >= OF_DOMAIN else written.mean()
    will_read = _fitted([asked], read, [float(characters)])
    expected = _fitted([read, written], np.array(seconds), [will_read, float(will_write)])
    return min(max(seconds), max(min(seconds), expected))


def _fitted(by: "Sequence[npt.NDArray[np.float64]]", of: "npt.NDArray[np.float64]", at: Sequence[float]) -> float:
    """The value there of the plane of least squares. What it would fall with is left out: more work takes longer."""
    import numpy as np

    used = list(range(len(by)))
    while True:
        columns = np.column_stack([np.ones(len(of)), *(by[place] for place in used)])
        slopes = np.linalg.lstsq(columns, of, rcond=None)[0]
        falling = [place for place, slope in zip(used, slopes[1:], strict=True) if slope < 0.0]
        if not falling:
            return float(slopes[0] + sum(slope * at[place] for place, slope in zip(used, slopes[1:], strict=True)))
        used.remove(falling[0])
