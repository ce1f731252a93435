"""What a teacher is asked in an evaluation, and whether what it writes, unaided by a JSON schema, can be used.

Arms and problems are as in `evaluate`; a problem is a request for one of three practised families.
"""

import random
from collections.abc import Sequence

from agent0es.decisions.propose import read_task
from agent0es.domain import events as ev
from agent0es.domain.names import Examination
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Task, Verification
from agent0es.taskdomains import Domains, practised_families
from agent0es.taskdomains.base import FEWEST_PRACTISED, TaskDomain

PROBES = 48

KIND: Examination = "eval-teacher"

FEW_SHOT = "base-few-shot"

BASE_ARMS = ("base-zero-shot", FEW_SHOT)


def probes(domains: Domains, seed: int) -> list[ev.TaskRequested]:
    """The requests that every arm of a run answers, of the domains in turn."""
    families = practised_families(domains)
    rng = random.Random(derive_seed(seed, "teacher probes"))
    requests = []
    for number in range(PROBES):
        domain = list(families)[number % len(families)]
        requests.append(
            ev.TaskRequested(
                task=number + 1,
                iteration=1,
                domain=domain,
                source="families",
                families={name: round(number / PROBES, 4) for name in rng.sample(families[domain], FEWEST_PRACTISED)},
                novelty_bar=0.0,
                seed=derive_seed(seed, "teacher probe", number),
            )
        )
    return requests


def arms_of(adapters: Sequence[str]) -> list[str]:
    """Who answers when a teacher's adapter is evaluated: the baselines and the adapters."""
    return [*BASE_ARMS, *adapters]


def problems(requests: Sequence[ev.TaskRequested]) -> dict[int, str]:
    """Number to family of what is asked."""
    return {number: next(iter(request.families)) for number, request in enumerate(requests)}


def judged(domain: TaskDomain, request: ev.TaskRequested, text: str, name: str) -> ev.Verified:
    """Whether what a teacher wrote can be used."""
    read = read_task(domain, request, text, 0)
    usable = isinstance(read, Task)
    return ev.Verified(
        attempt=name,
        task=None,
        verification=Verification(
            correct=usable,
            score=float(usable),
            confidence=1.0,
            method="exact",
            explanation=read.description if isinstance(read, Task) else read[1],
        ),
        second_instance=None,
        majority_key=None,
    )
