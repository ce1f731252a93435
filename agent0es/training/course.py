"""What a training has come to, step by step, and what of it is told. Pure."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

PARTS = 20
"""A training tells how it goes so many times, or at each step where it has fewer. By steps, not by the clock: what is
told of a training that was cut off and resumed is then what is told of one that was not."""


@dataclass(slots=True)
class Course:
    """Of every step so far, in order."""

    loss: list[float] = field(default_factory=list)
    """Mean over what is learnt in the step."""
    gradient_norm: list[float] = field(default_factory=list)
    """Euclidean norm over all that is trained, before it is clipped."""
    metrics: list[dict[str, float]] = field(default_factory=list)
    """What the method says besides, a mean as the loss is."""
    tokens: int = 0
    """Read so far."""
    told: list[dict[str, Any]] = field(default_factory=list)
    """What was said at the end of each part. Whoever goes on says it again: who heard it may have died before it was
    written down."""

    @property
    def step(self) -> int:
        """How many there were."""
        return len(self.loss)

    def as_dict(self) -> dict[str, Any]:
        """The same for a checkpoint: `Course(**values)` reads it."""
        return asdict(self)


def is_told(step: int, steps: int) -> bool:
    """Whether one of the parts ends with this step, counted from 1. The last step always does."""
    return step * PARTS // steps > (step - 1) * PARTS // steps


def said(course: Course, steps: int, learning_rate: float, seconds: float, begun_at: int, read: int) -> dict[str, Any]:
    """What the trainer says after a step: that step, and with the last one of a part the means over the part.

    `seconds` were spent in this process, on the steps after `begun_at` and on `read` tokens.
    """
    step = course.step
    message = {
        "step": step,
        "steps": steps,
        "loss": round(course.loss[-1], 5),
        "gradient_norm": round(course.gradient_norm[-1], 5),
        "tokens_per_second": round(read / seconds, 1),
        "seconds": round(seconds, 1),
        "eta_seconds": round(seconds / (step - begun_at) * (steps - step), 1),
    }
    return {**message, "part": _part(course, steps, learning_rate)} if is_told(step, steps) else message


def _part(course: Course, steps: int, learning_rate: float) -> dict[str, Any]:
    """The means over the steps since the last one that was told of."""
    begin = next((step for step in range(course.step - 1, 0, -1) if is_told(step, steps)), 0)
    metrics: dict[str, list[float]] = {}
    for one in course.metrics[begin:]:
        for name, value in one.items():
            if math.isfinite(value):  # the log can't hold others
                metrics.setdefault(name, []).append(value)
    return {
        "loss": _mean(course.loss[begin:]),
        "gradient_norm": _mean(course.gradient_norm[begin:]),
        "learning_rate": learning_rate,
        "tokens": course.tokens,
        "metrics": {name: _mean(values) for name, values in sorted(metrics.items())},
    }


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 4)
