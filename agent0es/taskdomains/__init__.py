"""What a run practises: families of tasks with answers computed by trusted code, and a verifier. One folder a domain.

A domain is a class that is registered in the entry point group `agent0es.task_domains` and called without arguments. A
family of another package that joins a domain is a `Family` in the group `agent0es.families`, under its own name; a run
practises it where its configuration says so. The built-in families are found by their folders.
"""

import random
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint
from typing import Any, get_args

from agent0es import plugins
from agent0es.domain.names import NAME_RULE, is_name
from agent0es.domain.task import Verification
from agent0es.errors import ConfigurationError
from agent0es.taskdomains.base import (
    FEWEST_PRACTISED,
    Choice,
    Day,
    Family,
    Int,
    IntList,
    NeedsCall,
    Phrase,
    Split,
    TaskDomain,
)
from agent0es.taskdomains.family import FamilyDomain
from agent0es.taskdomains.judging import judge_value, judged, value_key

__all__ = [
    "Choice",
    "Day",
    "Domains",
    "Family",
    "FamilyDomain",
    "Int",
    "IntList",
    "NeedsCall",
    "Phrase",
    "TaskDomain",
    "Verification",
    "judge_value",
    "judged",
    "load_family",
    "load_task_domain",
    "load_task_domains",
    "practised_families",
    "value_key",
]

Domains = Mapping[str, TaskDomain]
"""The task domains of a run by name, in the order of its configuration. No two have a family of the same name."""

METHODS = tuple(name for name, value in vars(TaskDomain).items() if callable(value) and not name.startswith("_"))
"""What every domain does."""


def load_task_domains(names: Iterable[str], families: Iterable[str] = ()) -> Domains:
    """The named domains, with the named families of other packages in them. Raises ConfigurationError for a name that
    nothing registers, for families named twice, and for one whose domain is not among these."""
    domains = {name: load_task_domain(name) for name in names}
    for more in map(load_family, families):
        domains[more.domain] = _joined(domains, more)
    of: dict[str, str] = {}
    for name, domain in domains.items():
        for family in (family.name for split in get_args(Split) for family in domain.families(split)):
            if not is_name(family):
                raise ConfigurationError(f"task domain {name}: a family is called {family[:100]!r}; {NAME_RULE}")
            if family in of:
                raise ConfigurationError(f"the task domains {of[family]} and {name} both have a family {family!r}")
            of[family] = name
    return domains


def practised_families(domains: Domains) -> dict[str, list[str]]:
    """Domain to the names of the families that it practises."""
    return {name: [family.name for family in domain.families("practised")] for name, domain in domains.items()}


def load_task_domain(name: str, available: Iterable[EntryPoint] | None = None) -> TaskDomain:
    """The domain that is registered under this name; `available` replaces what is installed.

    Raises ConfigurationError for a name that nothing registers, and for a domain that can't be imported or made or
    lacks what a domain has.
    """
    found: TaskDomain = plugins.make(
        plugins.TASK_DOMAINS, name, fault=lambda domain: fault(domain, name), available=available
    )
    return found


def load_family(name: str, available: Iterable[EntryPoint] | None = None) -> Family:
    """The family that is registered under this name; `available` replaces what is installed.

    Raises ConfigurationError for a name that nothing registers, and for one that can't be imported or makes no task.
    """
    found: Family = plugins.value(
        plugins.FAMILIES, name, fault=lambda family: _fault_of_family(family, name), available=available
    )
    return found


def _joined(domains: Domains, family: Family) -> TaskDomain:
    domain = domains.get(family.domain)
    if domain is None:
        raise ConfigurationError(
            f"the task family {family.name} belongs to the domain {family.domain}: add that to curriculum.domains"
        )
    if not isinstance(domain, FamilyDomain):
        raise ConfigurationError(f"the task family {family.name} can't join {family.domain}, which is no FamilyDomain")
    return domain.with_family(family)


def _fault_of_family(family: Any, name: str) -> str | None:
    """Why this is not a family that can be practised under the name, as the end of a sentence; None where it is.
    Raises what its own code raises."""
    if not isinstance(family, Family):
        return f"is not a Family: {type(family).__name__}"
    if family.name != name:
        return f"calls itself {family.name!r}; name and entry point must be the same"
    if not family.domain:
        return "names no domain; give it domain=, e.g. domain='math'"
    if not family.wordings:
        return "has no wordings"
    for difficulty in (0.0, 1.0):
        for wording in range(len(family.wordings)):
            family.task(family.sample(random.Random(0), difficulty), wording, difficulty)
    return None


def fault(domain: Any, name: str) -> str | None:
    """Why this is not a domain that can be practised under the name, as the end of a sentence; None where it is."""
    for member in (*TaskDomain.__annotations__, *METHODS):
        if not hasattr(domain, member):
            return f"has no {member}, which every task domain has"
    if domain.name != name:
        return f"calls itself {domain.name!r}; name and entry point must be the same"
    for split in get_args(Split):
        for family in domain.families(split):
            if not isinstance(family, Family):
                return f"has something among its {split} families that is not a Family: {type(family).__name__}"
            if family.domain != name:
                return f"has a family {family.name!r} with domain={family.domain!r}; it must be {name!r}"
            if family.split != split:
                return f"has a family {family.name!r} with split={family.split!r} among those of {split!r}"
            if not family.wordings:
                return f"has a family {family.name!r} without wordings"
    practised = len(domain.families("practised"))
    if practised < FEWEST_PRACTISED:
        return (
            f"has {practised} practised families; the teacher chooses between {FEWEST_PRACTISED}, so it needs at "
            "least as many"
        )
    return None if domain.families("held_out") else "has no held-out families, and those measure what was learnt"
