"""Reward components and their weighted sum: R_total = Σ wᵢ·Rᵢ, each Rᵢ in [0, 1].

A component is a pure function from `RewardInputs` to a number. The built-in four are registered under the entry
point group `agent0es.rewards`, as any other package's are; the configuration's weights say which count.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent0es.errors import RewardError

TOOL_CALLS_REWARDED = 4
"""C in the paper's tool reward: calls beyond it earn nothing."""


@dataclass(frozen=True, slots=True)
class RewardInputs:
    """What is known when an attempt, or a whole task on behalf of the teacher, is rewarded."""

    majority_share: float
    """p̂ over the task's attempts."""
    tool_calls: float
    """Successful tool calls: of the attempt, or the mean over the task's attempts."""
    novelty: float
    """1 − the largest cosine similarity to an earlier task."""
    score: float
    """The verifier's score; 0 for undecided. The mean over the attempts for the teacher."""


RewardComponent = Callable[[RewardInputs], float]


def uncertainty(inputs: RewardInputs) -> float:
    """R_unc = 1 − 2·|p̂ − 0.5| (arXiv 2511.16043, eq. 3): highest where the student is torn."""
    return 1.0 - 2.0 * abs(inputs.majority_share - 0.5)


def tool_use(inputs: RewardInputs) -> float:
    """R_tool = γ·min(N_tool, C) (eq. 4) with C = 4 and γ = 1/C, so that it lies in [0, 1]."""
    return min(inputs.tool_calls, TOOL_CALLS_REWARDED) / TOOL_CALLS_REWARDED


def novelty(inputs: RewardInputs) -> float:
    """How far the task is from everything asked before."""
    return min(1.0, max(0.0, inputs.novelty))


def correctness(inputs: RewardInputs) -> float:
    """What the verifier gave."""
    return inputs.score


def value_of(name: str, component: RewardComponent, inputs: RewardInputs) -> float:
    """What a component gives, rounded to 6 places. Raises RewardError, with its name, for anything else."""
    given = component(inputs)
    try:
        value = round(float(given), 6) + 0.0  # which makes 0 of −0
    except (TypeError, ValueError, OverflowError):  # of no number, of NaN and infinity there is nothing to round
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise RewardError(
            f"reward component {name} gave {given!r:.100}; it must give a number from 0 to 1. Fix it, or leave it out "
            f"of rewards.weights"
        )
    return value


def total(components: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Weighted sum over the components, rounded to 6 places so that it is the same on every machine."""
    return round(sum(weights[name] * value for name, value in components.items()), 6)
