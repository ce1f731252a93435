"""Tasks of families that put them together at random."""

import random

from agent0es.domain.task import Task
from agent0es.taskdomains.math.families.composing import ComposedFamily
from agent0es.taskdomains.math.families.quantities import PARTS, TIMES

FACTORS = {word: n for words in (TIMES, PARTS) for n, word in words.items()}
"""`twice` to 2, `a third` to 3: what the words of stories say."""


def instances(family: ComposedFamily, count: int) -> list[Task]:
    """Tasks of rising difficulty."""
    rng = random.Random(family.name)
    difficulties = [i / (count - 1) for i in range(count)]
    return [family.task(family.sample(rng, difficulty), 0, difficulty) for difficulty in difficulties]
