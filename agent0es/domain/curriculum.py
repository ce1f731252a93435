"""What to ask for next, from the statistics of what was asked before.

What is believed of the student is one model (Birnbaum 1968, fitted as Elo ratings are): a task of difficulty d is
solved with probability σ(ability − slope·d). Each family has an ability of its own; each domain has a level that moves
all of its families together, so that a new adapter is noticed by a few tasks of any families, and a slope: to some
students the numbers in a task hardly matter, only what is to be done with them. From it follow

- the domain of the next task (`choose_domain`): every domain's floor, and the rest where abilities move most;
- the families in it (`choose_families`): breadth first, then those at the frontier, |predicted − ½| ≤ δ;
- their difficulty (`difficulty_for`): where half of the attempts should succeed.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agent0es.domain.events import TaskCompleted, TaskRequested
from agent0es.domain.seeds import derive_seed

TARGET = 0.5
"""The solve rate at which a task teaches most: where the student is torn."""

SLOPE = 5.0
"""How fast the solve rate is thought to fall with difficulty at first, in log-odds for the whole range."""
FLATTEST, STEEPEST = 0.5, 8.0
BEYOND = 2.5
"""How far abilities go below what the easiest task takes, and above what the hardest does."""
FAMILY_GAIN = (0.75, 2.0)
"""What a surprise of 1 moves a family's ability by: well known, and what comes on top when it is not known at all."""
LEVEL_GAIN = 0.3
"""What it moves the abilities of the whole domain by."""
SLOPE_GAIN = 0.3
"""What it moves the domain's slope by at the highest difficulty: down when more was solved than expected."""
RATE_WEIGHT, PROGRESS_WEIGHT = 0.1, 0.02
"""Weight of the latest task in a domain's running solve rate, and in the running mean of its level."""

OFF_FRONTIER = 4
"""A task of a family off the frontier counts as so many: it gets a quarter of the others' tasks."""
COLLAPSED = 0.05
"""A domain whose running solve rate is this near to 0 or 1 teaches nothing."""
REST = 0.1
"""Learning progress that every domain is granted, so that domains at rest share alike."""
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class FamilyStatistics:
    """How a family of tasks has gone so far."""

    domain: str = ""
    """Task domain of the family."""
    tasks: int = 0
    attempts: int = 0
    solved: int = 0
    difficulty: float = 0.0
    """The difficulty to ask for next, as of the family's latest task; its domain may have moved on since."""
    ability: float = 0.0
    """Log-odds of solving its easiest task. As of then, too."""
    level: float = 0.0
    """The domain's level then."""
    recent_attempts: int = 0
    """Attempts since the student's adapter in use changed."""
    recent_solved: int = 0

    @property
    def solve_rate(self) -> float:
        """Share of the attempts that were correct; 0 before the first."""
        return self.solved / self.attempts if self.attempts else 0.0

    @property
    def recent_solve_rate(self) -> float:
        """The same, under the adapter in use."""
        return self.recent_solved / self.recent_attempts if self.recent_attempts else 0.0

    def under_new_adapter(self) -> "FamilyStatistics":
        """Another adapter answers from now on: recent figures restart, the ability is still the best guess."""
        return replace(self, recent_attempts=0, recent_solved=0)


@dataclass(frozen=True, slots=True)
class DomainStatistics:
    """How the tasks of a domain have gone so far."""

    tasks: int = 0
    level: float = 0.0
    """How far all of its abilities have moved together since the run began."""
    slope: float = SLOPE
    """How many log-odds lie between its easiest and its hardest tasks."""
    earlier_level: float = 0.0
    """The level's running mean: where it was some fifty tasks ago."""
    solve_rate: float = TARGET
    """Running mean over some ten tasks."""

    @property
    def progress(self) -> float:
        """How much abilities have moved of late, up or down: what is forgotten is worth practising too."""
        return abs(self.level - self.earlier_level)

    @property
    def collapsed(self) -> bool:
        """True when next to nothing, or next to everything, is solved."""
        return min(self.solve_rate, 1.0 - self.solve_rate) < COLLAPSED

    @property
    def torn(self) -> float:
        """How much attempts differ, from 0.19 where it has collapsed to 1 where half of them succeed: 4·p·(1−p)."""
        rate = min(1.0 - COLLAPSED, max(COLLAPSED, self.solve_rate))
        return 4.0 * rate * (1.0 - rate)


@dataclass(frozen=True, slots=True)
class Aim:
    """What a user can set of the choice."""

    steered: bool = True
    """Whether it follows the student; else families and domains take turns, and difficulties are drawn evenly."""
    start_difficulty: float = 0.0
    """Where a domain's families begin, before its level has moved."""
    candidates: int = 2
    """Families that the teacher may choose between."""
    band: float = 0.25
    """δ: a task is at the frontier where |solve rate − ½| ≤ δ."""
    domain_floor: float = 0.1
    """The least share of the tasks that each domain gets."""
    novelty_share: float = 0.1
    """Share of the requests for the families that were asked least, at the frontier or not."""
    review_share: float = 0.5
    """Share of the requests for what is easier: who practises only what is hardest never learns from the rest."""
    review_difficulty: float = 0.5
    """Those are of any difficulty up to this one, or to the frontier where that is lower."""


def ability_at(difficulty: float) -> float:
    """The ability whose frontier this is, before anything is known of a domain."""
    return SLOPE * difficulty


def ability_of(known: FamilyStatistics, domain: DomainStatistics) -> float:
    """A family's ability now: it is taken to have moved with its domain since its latest task."""
    return _bounded(known.ability + domain.level - known.level, domain.slope)


def _bounded(ability: float, slope: float) -> float:
    return min(slope + BEYOND, max(-BEYOND, ability))


def difficulty_for(known: FamilyStatistics, domain: DomainStatistics) -> float:
    """The difficulty at which half of the attempts should succeed, as far as there is one."""
    return round(min(1.0, max(0.0, ability_of(known, domain) / domain.slope)), 4)


def predicted_rate(known: FamilyStatistics, domain: DomainStatistics, difficulty: float) -> float:
    """The solve rate that is expected of a task, before any attempt is spent on it."""
    return 1.0 / (1.0 + math.exp(domain.slope * difficulty - ability_of(known, domain)))


def after_task(
    known: FamilyStatistics, domain: DomainStatistics, completed: TaskCompleted
) -> tuple[FamilyStatistics, DomainStatistics]:
    """The statistics of a task's family and domain with that task.

    θ ← θ + K·(solved/attempts − predicted), with a large K for a family that the adapter in use has hardly met, and a
    small one for the domain; its slope falls by K·d·(solved/attempts − predicted), the gradient of the same likelihood.
    What is predicted takes in all that was learnt while the task was under way: forty tasks
    of one kind that come back solved don't raise the abilities forty times. Where a family's ability is at its bound,
    the domain's level stays too: it would move for ever, as if what nobody can solve were being learnt.
    """
    if not completed.attempts:
        return replace(known, tasks=known.tasks + 1), replace(domain, tasks=domain.tasks + 1)
    rate = completed.solved / completed.attempts
    surprise = rate - predicted_rate(known, domain, completed.difficulty)
    least, more = FAMILY_GAIN
    gain = least + more * completed.attempts / (completed.attempts + known.recent_attempts)
    slope = round(min(STEEPEST, max(FLATTEST, domain.slope - SLOPE_GAIN * surprise * completed.difficulty)), 6)
    ability = ability_of(known, domain)
    wanted = ability + gain * surprise
    bounded = _bounded(wanted, slope)
    moved = 1.0 if bounded == wanted else (bounded - ability) / (wanted - ability)
    level = round(domain.level + LEVEL_GAIN * surprise * moved, 6)
    after = DomainStatistics(
        tasks=domain.tasks + 1,
        level=level,
        slope=slope,
        earlier_level=round(domain.earlier_level + PROGRESS_WEIGHT * (level - domain.earlier_level), 6),
        solve_rate=round(domain.solve_rate + RATE_WEIGHT * (rate - domain.solve_rate), 6),
    )
    learnt = replace(
        known,
        tasks=known.tasks + 1,
        attempts=known.attempts + completed.attempts,
        solved=known.solved + completed.solved,
        ability=round(bounded, 4),
        level=level,
        recent_attempts=known.recent_attempts + completed.attempts,
        recent_solved=known.recent_solved + completed.solved,
    )
    return replace(learnt, difficulty=difficulty_for(learnt, after)), after


def domain_shares(domains: Mapping[str, DomainStatistics], floor: float) -> dict[str, float]:
    """Each domain's share of the tasks: the floor, and of the rest what its learning progress earns, where attempts
    differ: from what is never solved, or always, little can be learnt.

    So a collapsed domain has little more than the floor, which keeps it in practice until it recovers.
    """
    floor = min(floor, 1.0 / len(domains))
    merit = {name: (REST + known.progress) * known.torn for name, known in domains.items()}
    left = 1.0 - floor * len(domains)
    return {name: floor + left * merit[name] / sum(merit.values()) for name in domains}


def choose_domain(domains: Mapping[str, DomainStatistics], floor: float, task: int) -> str:
    """The domain of a task, by the task's number.

    Multiples of the golden ratio fill [0, 1) evenly, so any stretch of tasks has every domain's share to within a task
    or two, which independent draws would not.
    """
    at, names = task * GOLDEN % 1.0, sorted(domains)
    shares = domain_shares(domains, floor)
    for name in names:
        at -= shares[name]
        if at < 0.0:
            return name
    return names[-1]


def choose_families(
    families: Sequence[str],
    statistics: Mapping[str, FamilyStatistics],
    domain: DomainStatistics,
    in_flight: Sequence[str],
    aim: Aim,
    seed: int,
) -> dict[str, float]:
    """The families of a domain that the teacher may choose between, with the difficulty that is wanted of each.

    Those asked least come first; what was asked of a family counts OFF_FRONTIER times where its predicted solve rate is
    outside the band. A share of the requests looks away from that, so that what was dropped as too easy or too hard is
    tried again, and another share reviews all families alike, with easier tasks. Among equals come those whose
    prediction is nearest to one half; ties are broken by the seed. `in_flight` counts tasks that are not completed yet.
    In a collapsed domain `recover` has the last word. None of this is done where the choice is not steered.
    """
    rng = random.Random(seed)
    if not aim.steered:
        asked = {name: statistics[name].tasks if name in statistics else 0 for name in families}
        turn = sorted(families, key=lambda family: (asked[family] + in_flight.count(family), rng.random()))
        return {family: round(rng.random(), 4) for family in sorted(turn[: aim.candidates])}
    novel, review = rng.random() < aim.novelty_share, rng.random() < aim.review_share
    start = FamilyStatistics(ability=ability_at(aim.start_difficulty))
    known = {family: statistics.get(family, start) for family in families}
    wanted = {family: difficulty_for(known[family], domain) for family in families}
    torn = {family: abs(predicted_rate(known[family], domain, wanted[family]) - TARGET) for family in families}

    def rank(family: str) -> tuple[int, float, float]:
        asked = known[family].tasks + in_flight.count(family)
        if torn[family] > aim.band and not novel and not review:
            asked *= OFF_FRONTIER
        return asked, torn[family], rng.random()

    ranked = sorted(families, key=rank)
    if domain.collapsed and not novel:
        ranked, wanted = recover(ranked, known, domain, wanted, rng)
    elif review:
        easier = {family: min(difficulty, aim.review_difficulty) for family, difficulty in wanted.items()}
        wanted = {family: round(rng.uniform(0.0, most), 4) for family, most in easier.items()}
    # In the order in which the log has them: a resumed run must not see another one than the run that wrote them.
    return {family: wanted[family] for family in sorted(ranked[: aim.candidates])}


def recover(
    ranked: Sequence[str],
    known: Mapping[str, FamilyStatistics],
    domain: DomainStatistics,
    wanted: Mapping[str, float],
    rng: random.Random,
) -> tuple[list[str], dict[str, float]]:
    """What a collapsed domain is asked for, where the model of the student has shown to be wrong.

    Where nothing is solved: the easiest tasks, of families that have been solved before. Where all is: difficulties
    anywhere above what is wanted.
    """
    if domain.solve_rate > TARGET:
        return list(ranked), {family: round(rng.uniform(wanted[family], 1.0), 4) for family in ranked}
    solved_before = sorted(ranked, key=lambda family: known[family].solved == 0)  # stable: else ranked as before
    return solved_before, dict.fromkeys(ranked, 0.0)


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
