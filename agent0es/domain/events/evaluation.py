"""What an adapter is worth, and whether it is put to use."""

from typing import Literal

from agent0es.domain.values import Role, Value


class ArmScore(Value):
    """How one way of answering did on one split of the held-out problems."""

    arm: str
    """E.g. `base-zero-shot`, `base-few-shot`, `student-1`."""
    split: Literal["practised", "held_out"]
    """Families that are practised, with fresh instances, or families that never are."""
    correct: int
    """Problems solved."""
    problems: int
    """Problems asked."""
    low: float
    """Lower end of the 95% Wilson interval of the share."""
    high: float
    """Upper end."""
    by_family: dict[str, tuple[int, int]]
    """Family to (solved, asked); `domain/family` where families of several domains have one name."""


class Comparison(Value):
    """Two arms on the same problems."""

    split: Literal["practised", "held_out"]
    """Which problems."""
    baseline: str
    """Arm that is compared with."""
    arm: str
    """Arm that is compared."""
    difference: float
    """Share solved by the arm minus share solved by the baseline."""
    low: float
    """Lower end of the 95% bootstrap interval over families."""
    high: float
    """Upper end."""
    p_value: float
    """Two-sided exact McNemar test over problems."""
    better: int | None
    """Problems that the arm alone solved; None before version 2 of AdapterEvaluated."""
    worse: int | None
    """Problems that the baseline alone solved; None before then, too."""


class AdapterEvaluated(Value):
    """An adapter and its baselines answered the same held-out problems. Stream `adapter/<run>/<adapter>`."""

    type: Literal["AdapterEvaluated"] = "AdapterEvaluated"
    version: Literal[2] = 2
    adapter: str
    """Name of the adapter."""
    role: Role
    """Whose adapter."""
    iteration: int
    """Iteration."""
    scores: tuple[ArmScore, ...]
    """Each arm on each split."""
    comparisons: tuple[Comparison, ...]
    """The adapter against each other arm on each split."""


class Leak(Value):
    """A held-out problem that an adapter may have learnt."""

    source: str
    """What it learnt from: an attempt (student) or a task (teacher)."""
    problem: str
    """The problem: its number in the suite, or its name in a file."""
    overlap: float
    """Share of the problem's text that is in what was learnt, see `evaluation/contamination.py`."""
    same: bool
    """Whether both are the same problem: the same text but for case, white space and marks, or the same family and
    parameters."""


class PairedTest(Value):
    """Whether an adapter is better than its rival: the one-sided exact McNemar test over all held-out problems."""

    rivals: tuple[str, ...]
    """The arms that it was compared with, one for each split."""
    better: int
    """Problems that the adapter alone solved."""
    worse: int
    """Problems that the rival alone solved."""
    p_value: float
    """Probability of as many or more better ones among those that one of them alone solved, were both equally good."""
    level: float
    """What the p-value must not be above."""
    look: int
    """Which adapter this is that is compared with this rival, from 1."""


class AdapterPromoted(Value):
    """The gate promoted an adapter: it is in use from now on. Stream `run/<run>`."""

    type: Literal["AdapterPromoted"] = "AdapterPromoted"
    version: Literal[2] = 2
    adapter: str
    """Name of the adapter."""
    role: Role
    """Whose adapter."""
    iteration: int
    """Iteration."""
    score: float
    """Mean share solved over the splits."""
    reason: str
    """Why, in one line."""
    test: PairedTest | None = None
    """What the test came to; None where `evaluation.significance` asks for none."""


class AdapterRejected(Value):
    """The gate rejected an adapter: the one in use stays. Stream `run/<run>`."""

    type: Literal["AdapterRejected"] = "AdapterRejected"
    version: Literal[2] = 2
    adapter: str
    """Name of the adapter."""
    role: Role
    """Whose adapter."""
    iteration: int
    """Iteration."""
    reason: str
    """Why, in one line."""
    test: PairedTest | None = None
    """What the test came to; None where there was none."""
    leaks: tuple[Leak, ...] = ()
    """Held-out problems among what it learnt from."""
