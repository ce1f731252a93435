"""The held-out problems: fresh instances of practised families, and families that are never practised."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agent0es.configuration import EvaluationSettings
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Task
from agent0es.taskdomains import Domains

Split = Literal["practised", "held_out"]
SPLITS: tuple[Split, ...] = ("practised", "held_out")


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One problem of the suite."""

    number: int
    """Place in the suite, from 0."""
    split: Split
    task: Task


def suite(domains: Domains, settings: EvaluationSettings, seed: int) -> list[HeldOut]:
    """The same problems for every arm of a run. Difficulties are spread evenly over [0, max_difficulty]."""
    counts = {"practised": settings.practised_problems, "held_out": settings.held_out_problems}
    problems: list[HeldOut] = []
    for split in SPLITS:
        for family in (family for domain in domains.values() for family in domain.families(split)):
            for i in range(counts[split]):
                rng = random.Random(derive_seed(seed, "held out", family.name, i))
                difficulty = round(settings.max_difficulty * (i + 0.5) / counts[split], 4)
                task = family.task(family.sample(rng, difficulty), rng.randrange(len(family.wordings)), difficulty)
                problems.append(HeldOut(len(problems), split, task))
    return problems


def told_apart(tasks: Sequence[Task]) -> list[str]:
    """The family of each task, with its domain before it where families of several domains have one name: `logic/…`."""
    domains: dict[str, set[str]] = defaultdict(set)
    for task in tasks:
        domains[task.family].add(task.domain)
    return [f"{task.domain}/{task.family}" if len(domains[task.family]) > 1 else task.family for task in tasks]


def families_of(problems: Sequence[HeldOut], split: Split, *, apart: bool = True) -> dict[int, str]:
    """Number to family of the problems of one split, in order. `apart`: whether those of one name are told apart."""
    of_split = [problem for problem in problems if problem.split == split]
    names = told_apart([problem.task for problem in of_split])
    return {
        problem.number: name if apart else problem.task.family for problem, name in zip(of_split, names, strict=True)
    }


def count_by_split(problems: Sequence[HeldOut]) -> dict[str, int]:
    """How many problems each split has."""
    return {split: len(families_of(problems, split)) for split in SPLITS}
