"""Tasks of families that put them together at random."""

import random

from agent0es.domain.task import Task
from agent0es.taskdomains.math.families.composing import ComposedFamily


def instances(family: ComposedFamily, count: int) -> list[Task]:
    """Tasks of rising difficulty."""
    rng = random.Random(family.name)
    difficulties = [i / (count - 1) for i in range(count)]
    return [family.task(family.sample(rng, difficulty), 0, difficulty) for difficulty in difficulties]
