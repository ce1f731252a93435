"""What to ask for next, from the statistics of what was asked before."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agent0es.domain.events import TaskCompleted, TaskRequested
from agent0es.domain.seeds import derive_seed

TARGET = 0.5
"""The solve rate at which a task teaches most: where the student is torn."""


@dataclass(frozen=True, slots=True)
class FamilyStatistics:
    """How a family of tasks has gone so far."""

    domain: str = ""
    """Task domain of the family."""
    tasks: int = 0
    attempts: int = 0
    solved: int = 0
    difficulty: float = 0.0
    """The difficulty to ask for next."""
    recent_attempts: int = 0
    """Attempts since the serving student adapter changed."""
    recent_solved: int = 0

    @property
    def solve_rate(self) -> float:
        """Share of the attempts that were correct; 0 before the first."""
        return self.solved / self.attempts if self.attempts else 0.0

    @property
    def recent_solve_rate(self) -> float:
        """The same under the adapter that serves now."""
        return self.recent_solved / self.recent_attempts if self.recent_attempts else 0.0

    def under_new_adapter(self) -> "FamilyStatistics":
        """Another adapter answers from now on: what is recent starts anew, the difficulty stays."""
        return replace(self, recent_attempts=0, recent_solved=0)


STEP = 0.3
"""Full swing of a family's difficulty: a task solved by all attempts raises it by half of this."""


def after_task(known: FamilyStatistics | None, completed: TaskCompleted) -> FamilyStatistics:
    """The family's statistics with one more task; difficulty moves towards a solve rate of one half.

    d ← clip(d_task + STEP·(solved/attempts − TARGET), 0, 1): a controller on the task's own difficulty.
    """
    before = known or FamilyStatistics()
    rate = completed.solved / completed.attempts if completed.attempts else 0.0
    return replace(
        before,
        tasks=before.tasks + 1,
        attempts=before.attempts + completed.attempts,
        solved=before.solved + completed.solved,
        difficulty=round(min(1.0, max(0.0, completed.difficulty + STEP * (rate - TARGET))), 4),
        recent_attempts=before.recent_attempts + completed.attempts,
        recent_solved=before.recent_solved + completed.solved,
    )


def choose_families(
    families: Sequence[str], statistics: Mapping[str, FamilyStatistics], in_flight: Sequence[str], count: int, seed: int
) -> dict[str, float]:
    """`count` families for the teacher to choose between, with the difficulty that is wanted of each.

    Those asked least come first (every family keeps its share), and among equals those whose solve rate is
    nearest to one half; ties are broken by the seed. `in_flight` counts tasks that are not completed yet.
    """
    rng = random.Random(seed)

    def rank(family: str) -> tuple[int, float, float]:
        known = statistics.get(family, FamilyStatistics())
        asked = known.tasks + in_flight.count(family)
        torn = abs(known.solve_rate - TARGET) if known.attempts else 0.0
        return asked, torn, rng.random()

    # In the order in which the log has them: a resumed run must not see another one than the run that wrote them.
    chosen = sorted(sorted(families, key=rank)[:count])
    return {family: statistics.get(family, FamilyStatistics()).difficulty for family in chosen}


def offer(requested: TaskRequested) -> dict[str, float]:
    """The families of a request with their difficulties, in the order in which the teacher reads them.

    It is drawn from the request's seed: the log keeps dictionaries by key, and a model likes best what stands first.
    """
    names = sorted(requested.families)
    random.Random(derive_seed(requested.seed, "offer")).shuffle(names)
    return {name: requested.families[name] for name in names}


def demonstrations_for(known: FamilyStatistics | None, adapter: str | None, count: int) -> int:
    """How many worked examples the student is shown: `count` while a family's solve rate is under one half.

    Few-shot prompts help an untrained model and hurt a trained one, so a trained one starts without.
    """
    if known is None or known.recent_attempts == 0:
        return 0 if adapter else count
    return 0 if known.recent_solve_rate >= TARGET and adapter else count
