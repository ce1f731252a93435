"""Every family's answer against its reference action, which computes it another way, on many samples.

In the suite the samples are few; `AGENT0ES_SAMPLES=1000` in the environment makes them as many.
"""

import os
import random
from collections.abc import Callable

import pytest

from agent0es.domain.task import Submission, Verification
from agent0es.taskdomains.base import Family
from agent0es.taskdomains.math import MathDomain
from agent0es.taskdomains.math.families import CORE, EXTENDED

SAMPLES = int(os.environ.get("AGENT0ES_SAMPLES", "20"))


@pytest.mark.parametrize("family", (*CORE, *EXTENDED), ids=lambda family: family.name)
def test_the_answer_is_what_another_computation_gives(
    family: Family, domain: MathDomain, observe: Callable[[str], str]
) -> None:
    rng = random.Random(f"samples {family.name}")
    wrong = []
    for i in range(SAMPLES):
        difficulty = rng.random()
        task = family.task(family.sample(rng, difficulty), i % len(family.wordings), difficulty)
        printed = observe(task.reference_action)
        judged = domain.judge(Submission(printed), task)
        if not isinstance(judged, Verification) or judged.correct is not True:
            wrong.append((task.reference_action, printed, task.reference))
    assert wrong == []
