"""How well the curriculum stays at the frontier of simulated students, compared with other ways to choose tasks.

    python benchmarks/curriculum.py [--tasks 600] [--seeds 5]

In each family the students have a difficulty at which they solve half; it grows with practice, and jumps when an
adapter is promoted. Every task goes through the schedule's own decision and the fold of the log, with tasks in flight
as in a run. The other ways are random difficulties and a fixed one; both ask the families in turn.
A task is in the band when its true solve rate is within a quarter of one half.
"""

import argparse
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import mean

from agent0es.configuration import load_configuration
from agent0es.decisions.schedule import decide
from agent0es.domain import events as ev
from agent0es.domain.curriculum import offer
from agent0es.domain.run import RunState, evolve
from agent0es.domain.task import Task

WAYS = {
    "curriculum": (),
    "random difficulty": ("curriculum.steered=false",),
    "fixed difficulty 0.3": ("curriculum.steered=false",),
}
"""Ways to choose tasks, and the settings of each."""
HEIGHTS = "▁▂▃▄▅▆▇█"
BLOCK = 25


@dataclass
class Student:
    """Someone whose solve rate is known: σ(slope·(ability − difficulty)), a slope and an ability for each family."""

    seed: int
    families: dict[str, list[str]]
    spread: float = 0.3
    """Standard deviation of the abilities."""
    steepness: tuple[float, float] = (3.0, 9.0)
    """Between which the families' slopes lie."""
    learns: float = 0.0005
    """What each task adds to the abilities of its domain."""
    abilities: dict[str, float] = field(default_factory=dict)
    slopes: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = random.Random(self.seed)
        for name in (name for names in self.families.values() for name in names):
            self.abilities[name] = rng.gauss(0.2, self.spread)
            self.slopes[name] = rng.uniform(*self.steepness)

    def solve_rate(self, family: str, difficulty: float) -> float:
        return 1.0 / (1.0 + math.exp(-self.slopes[family] * (self.abilities[family] - difficulty)))

    def jump(self, by: float, domain: str | None = None) -> None:
        """What a promoted adapter does."""
        for name, families in self.families.items():
            if domain in (None, name):
                for family in families:
                    self.abilities[family] += by


@dataclass(frozen=True)
class Asked:
    """A task that was asked, and how it went."""

    domain: str
    family: str
    difficulty: float
    rate: float
    """True solve rate."""
    solved: float
    """Share of the attempts that succeeded."""


def practise(
    student: Student,
    tasks: int,
    way: str = "curriculum",
    *,
    in_flight: int = 8,
    attempts: int = 4,
    jumps: dict[int, float] | None = None,
    overrides: Sequence[str] = (),
) -> list[Asked]:
    """The tasks of one iteration, in the order in which they are done, which is not that of the requests."""
    count = (f"execution.tasks_per_iteration={tasks}", f"execution.tasks_in_flight={in_flight}")
    settings = [*count, *WAYS[way], *overrides]
    configuration = load_configuration(overrides=settings, environment={})
    state = RunState(seed=student.seed, status="running", configuration=configuration.model_dump(mode="json"))
    rng = random.Random(student.seed)
    asked: list[Asked] = []
    cause: ev.Event = ev.IterationStarted(iteration=1)
    while True:
        state = evolve(state, cause)
        for event in decide(cause, state, configuration, student.families):
            state = evolve(state, event)
            if isinstance(event, ev.TaskRequested):
                state = evolve(state, propose(event, way))
        if not state.in_flight:
            return asked
        task = state.in_flight[rng.choice(sorted(state.in_flight)[: in_flight // 2 + 1])]
        proposal = task.task
        rate = student.solve_rate(proposal.family, proposal.difficulty)
        solved = sum(rng.random() < rate for _ in range(attempts))
        asked.append(Asked(proposal.domain, proposal.family, proposal.difficulty, rate, solved / attempts))
        student.jump(student.learns, proposal.domain)
        if jumps and len(asked) in jumps:
            student.jump(jumps[len(asked)])
            state = replace(state, families={n: f.under_new_adapter() for n, f in state.families.items()})
        cause = ev.TaskCompleted(
            task=task.request.task,
            iteration=1,
            family=proposal.family,
            difficulty=proposal.difficulty,
            attempts=attempts,
            solved=solved,
        )


def propose(request: ev.TaskRequested, way: str) -> ev.TaskProposed:
    """A teacher that takes the first family on offer, or one that asks all of them with the same difficulty."""
    family, difficulty = next(iter(offer(request).items()))
    if way == "fixed difficulty 0.3":
        difficulty = 0.3
    task = Task(
        domain=request.domain,
        family=family,
        parameters={},
        wording=0,
        description="",
        reference="",
        reference_action="",
        difficulty=difficulty,
    )
    return ev.TaskProposed(
        task=request.task,
        iteration=1,
        proposal=task,
        novelty=1.0,
        nearest=None,
        attempts=4,
        seed=request.seed,
        demonstrations=0,
    )


def in_band(asked: Sequence[Asked]) -> float:
    """Share of the tasks at the frontier."""
    return mean(abs(one.rate - 0.5) <= 0.25 for one in asked)


def line(values: Sequence[float]) -> str:
    """Shares in [0, 1] as a line of blocks."""
    return "".join(HEIGHTS[min(7, int(8 * value))] for value in values)


def compare(title: str, families: dict[str, list[str]], tasks: int, seeds: int, jumps: dict[int, float]) -> None:
    """Print each way's share of tasks in the band and its realised solve rate, a block for every 25 tasks."""
    print(f"{title}; {tasks} tasks, ability jumps at {', '.join(map(str, jumps))}; mean of {seeds} students")
    for way in WAYS:
        runs = [practise(Student(seed, families), tasks, way, jumps=jumps) for seed in range(seeds)]
        starts = range(0, tasks, BLOCK)
        shares = [mean(in_band(run[at : at + BLOCK]) for run in runs) for at in starts]
        rates = [mean(one.solved for run in runs for one in run[at : at + BLOCK]) for at in starts]
        late = mean(in_band(run[100:]) for run in runs)
        print(f"  {way:22} in band {line(shares)} {late:5.0%} after task 100; solve rate {line(rates)} ", end="")
        print(f"{min(rates[4:]):.2f} to {max(rates[4:]):.2f}")
    if len(families) > 1:
        counts = Counter(one.domain for one in practise(Student(0, families), tasks, jumps=jumps))
        print("  tasks by domain:", ", ".join(f"{name} {counts[name] / tasks:.0%}" for name in families))
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    once = {options.tasks // 2: 0.3}
    five = {options.tasks * part // 5: 0.15 for part in range(1, 5)}
    for title, count, domains, jumps in (
        ("One domain, 12 families", 12, ["math"], once),
        ("One domain, 132 families", 132, ["math"], once),
        ("Five iterations, 132 families", 132, ["math"], five),
        ("Four domains, 20 families each", 20, ["code", "logic", "long_horizon", "math"], once),
    ):
        families = {name: [f"{name} {i}" for i in range(count)] for name in domains}
        compare(title, families, options.tasks, options.seeds, jumps)


if __name__ == "__main__":
    main()
