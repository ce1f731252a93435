"""What a run practises: families of tasks with answers computed by trusted code, and a verifier. One folder a domain.

A domain is a class that is registered in the entry point group `agent0es.task_domains` and called without arguments.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import get_args

from agent0es.domain.names import NAME_RULE, is_name
from agent0es.errors import ConfigurationError
from agent0es.taskdomains.base import Split, TaskDomain

GROUP = "agent0es.task_domains"

__all__ = ["GROUP", "Domains", "TaskDomain", "load_task_domain", "load_task_domains", "practised_families"]

Domains = Mapping[str, TaskDomain]
"""The task domains of a run by name, in the order of its configuration. No two have a family of the same name."""


def load_task_domains(names: Iterable[str]) -> Domains:
    """The named domains. Raises ConfigurationError for a name that nothing registers, and for families named twice."""
    domains = {name: load_task_domain(name) for name in names}
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

    Raises ConfigurationError for a name that nothing registers, and for a domain that can't be imported.
    """
    points = {point.name: point for point in (entry_points(group=GROUP) if available is None else available)}
    if name not in points:
        raise ConfigurationError(_unknown(name, sorted(points)))
    if not is_name(name):
        raise ConfigurationError(f"a task domain is called {name[:100]!r}; {NAME_RULE}")
    try:
        make: Callable[[], TaskDomain] = points[name].load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"task domain {name!r} ({points[name].value}) can't be imported: {error}") from error
    return make()


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    if near:
        return f"no task domain is called {name!r}: did you mean {near[0]!r}? There are: {', '.join(known)}"
    there = f"there are: {', '.join(known)}" if known else f"none is installed in the entry point group {GROUP}"
    return f"no task domain is called {name!r}: {there}"
