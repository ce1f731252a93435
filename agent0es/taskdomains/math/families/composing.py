"""Families whose tasks are put together at random: `shape` seeds what happens, `variant` the numbers."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count

from agent0es.domain.task import Scalar
from agent0es.taskdomains.base import Int, Split
from agent0es.taskdomains.variants import VARIANT, VariantFamily

FEW_TRIES, TRIES = 100, 5000
"""How often numbers are drawn: to see whether a shape is of use, and for a task of one that is."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A task that was put together."""

    description: str
    code: str
    """The Python expression that computes the answer."""
    answer: str
    told: Sequence[str]
    """What the task tells and a program for it holds, in an order that is the same for all tasks of its shape."""


Compose = Callable[[random.Random, random.Random, int], Composed | None]
"""From the randomness of the shape, that of the numbers, and the steps. None where these numbers make no sound task.
The same shape draws as many numbers each time."""


@dataclass(frozen=True, slots=True)
class ComposedFamily(VariantFamily):
    """Tasks of one kind that are put together at random."""

    def moving_parts(self, parameters: Mapping[str, Scalar]) -> dict[str, str]:
        """What is told."""
        return {name: text for name, text in self.facts(parameters).items() if name.startswith("told_")}


def composed_family(name: str, split: Split, domain: str, steps: Int, compose: Compose) -> ComposedFamily:
    """A family with the parameters `steps`, `shape` and `variant`."""

    def drawn(shape: str, steps: int, numbers: random.Random, tries: int) -> Composed | None:
        made = (compose(random.Random(shape), numbers, steps) for _ in range(tries))
        return next((one for one in made if one is not None), None)

    @lru_cache(maxsize=2048)
    def seed_of(steps: int, shape: int) -> str:
        """Of the first shape for which a few tries find numbers: many have none, or next to none."""
        seeds = (f"{name}/{steps}/{shape}/{i}" for i in count())
        return next(seed for seed in seeds if drawn(seed, steps, random.Random(seed), FEW_TRIES))

    @lru_cache(maxsize=2048)
    def found(steps: int, shape: int, variant: int) -> Composed | None:
        seed = seed_of(steps, shape)
        return drawn(seed, steps, random.Random(f"{seed}/{variant}"), TRIES)

    def facts_of(**parameters: int) -> Mapping[str, str]:
        task = found(**parameters)
        assert task is not None, "the constraint was asked first"
        told = {f"told_{i}": text for i, text in enumerate(task.told)}
        return {"description": task.description, "code": task.code, "answer": task.answer, **told}

    return ComposedFamily(
        name=name,
        group=domain,
        split=split,
        parameters={"steps": steps, "shape": VARIANT, "variant": VARIANT},
        wordings=("{description}",),
        reference_action="python[{code}]",
        answer_of=lambda **parameters: facts_of(**parameters)["answer"],
        constraint=lambda **parameters: None if found(**parameters) else "no numbers were found for such a task",
        domain=domain,
        facts_of=facts_of,
    )
