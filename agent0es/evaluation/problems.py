"""Problems for an evaluation by itself: the built-in suites, and what a problem is."""

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Task
from agent0es.errors import UserError, nearest
from agent0es.plugins import TASK_DOMAINS, installed
from agent0es.taskdomains import load_task_domain
from agent0es.taskdomains.base import Family, Split, TaskDomain
from agent0es.taskdomains.code.reference import is_function

HELD_OUT = "held-out"
"""The suite of all families that are never practised, of four domains."""
DOMAINS = ("math", "code", "logic", "long_horizon")
SEED = 20_260
"""Pinned: the problems of a suite are the same for every run, configuration and model."""
DIFFICULTIES = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True, slots=True)
class Posed:
    """One problem of an evaluation."""

    source: str
    """Where it comes from: a family, or a line of a file."""
    task: Task


def identity(task: Task) -> str:
    """The same for the same problem, wherever it is asked: sha256 of what is asked and of what is right."""
    return hashlib.sha256("\0".join((task.domain, task.description, task.reference)).encode()).hexdigest()


def wants_function(task: Task) -> bool:
    """Whether the answer is code, to be tried by hidden tests."""
    return is_function(task.reference)


def kinds(problems: Iterable[Posed]) -> set[tuple[str, bool]]:
    """Task domain, and whether a function is asked for, of the problems."""
    return {(problem.task.domain, wants_function(problem.task)) for problem in problems}


def suite(names: str) -> list[Posed]:
    """The problems of suites by their names, with commas between: `held-out`, a task domain (its held-out families), a
    family, or `DOMAIN/FAMILY`, which a name that two domains have must be.

    Each family has a problem of each difficulty. The order is drawn from the pinned seed, so the first ones are a fair
    sample. Raises UserError for an unknown name, ConfigurationError for a domain that can't be loaded.
    """
    families: dict[tuple[str, str], Family] = {}
    for name in names.split(","):
        families |= {(family.domain, family.name): family for family in _families(name.strip())}
    problems = [_problem(family, difficulty) for family in families.values() for difficulty in DIFFICULTIES]
    random.Random(SEED).shuffle(problems)
    return problems


def _families(name: str) -> Sequence[Family]:
    if name == HELD_OUT:
        return [family for domain in DOMAINS for family in load_task_domain(domain).families("held_out")]
    if name in (domains := installed(TASK_DOMAINS)):
        return load_task_domain(name).families("held_out")
    lacking: list[str] = []
    known = [family for domain in _every_domain(lacking) for family in _every_family(domain)]
    found = [family for family in known if name in (family.name, f"{family.domain}/{family.name}")]
    if len(found) == 1:
        return found
    if found:
        several = ", ".join(f"{family.domain}/{name}" for family in found)
        raise UserError(f"--suite {name}: several task domains have a family of that name; choose of {several}")
    others = f"there are {', '.join((HELD_OUT, *domains))}, and each of their families"
    raise UserError(
        f"--suite: there is no suite, task domain or family {name!r}; "
        f"{nearest(name, [HELD_OUT, *domains, *(family.name for family in known)], otherwise=others)}"
        f"{''.join(f'. Not looked into: {why}' for why in lacking)}"
    )


def _every_domain(lacking: list[str]) -> Iterator[TaskDomain]:
    """The installed domains; `lacking` is told why others can't be loaded."""
    from agent0es.errors import ConfigurationError

    for name in installed(TASK_DOMAINS):
        try:
            yield load_task_domain(name)
        except ConfigurationError as why:
            lacking.append(str(why))  # e.g. one without its library: it has no families to choose from


def _every_family(domain: TaskDomain) -> Iterator[Family]:
    for split in get_args(Split):
        yield from domain.families(split)


def _problem(family: Family, difficulty: float) -> Posed:
    rng = random.Random(derive_seed(SEED, "suite", family.name, f"{difficulty}"))
    task = family.task(family.sample(rng, difficulty), rng.randrange(len(family.wordings)), difficulty)
    return Posed(family.name, task)
