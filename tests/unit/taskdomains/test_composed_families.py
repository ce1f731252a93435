"""What all families promise whose tasks are put together at random."""

import random
import re

import pytest

from agent0es.domain.task import Submission, Task, Verification
from agent0es.taskdomains.math import ChainedOperationsDomain, ComposedStoriesDomain, UnknownQuantitiesDomain
from agent0es.taskdomains.math.families import CHAINED, COMPOSED, UNKNOWN, quantities
from agent0es.taskdomains.math.families.composing import ComposedFamily
from tests.support.composed import instances

FAMILIES = (*COMPOSED, *UNKNOWN, *CHAINED)
DOMAINS = {
    domain.name: domain for domain in (ComposedStoriesDomain(), UnknownQuantitiesDomain(), ChainedOperationsDomain())
}
every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


def tool_input(task: Task) -> str:
    return task.reference_action.removeprefix("python[")[:-1]


@every_family
def test_the_reference_action_prints_the_answer(family: ComposedFamily) -> None:
    for task in instances(family, 60):
        assert family.check(task.parameters, task.difficulty) is None
        printed = str(eval(tool_input(task)))
        judged = DOMAINS[family.domain].judge(Submission(printed), task)
        assert printed == task.reference and isinstance(judged, Verification) and judged.correct is True, task
        assert family.domain == "chained_operations" or int(printed) > 0
        assert not re.search(r"[{}]|None|\bNaN\b", task.description), task.description
        assert task.description.endswith("?") and len(task.description) < 500


@every_family
def test_there_is_no_end_of_different_tasks(family: ComposedFamily) -> None:
    tasks = instances(family, 150)
    shapes = {re.sub("[0-9]+", "N", task.description) for task in tasks}
    answers = [task.reference for task in tasks]
    assert len(shapes) > 80
    assert max(map(answers.count, answers)) < 35


@every_family
def test_difficulty_makes_tasks_longer(family: ComposedFamily) -> None:
    def length(difficulty: float) -> int:
        rng = random.Random(7)
        return sum(len(family.task(family.sample(rng, difficulty), 0, difficulty).description) for _ in range(25))

    assert length(0.0) < length(0.5) < length(1.0)


@every_family
def test_a_second_instance_is_the_same_task_with_other_numbers_and_words(family: ComposedFamily) -> None:
    rng = random.Random(3)
    pairs = [
        (task, DOMAINS[family.domain].second_instance(task, tool_input(task), rng)) for task in instances(family, 40)
    ]
    moved = [(task, second) for task, second in pairs if second is not None]
    assert len(moved) >= 20, "the others tell more than is needed for their answer"
    for task, (second, code) in moved:
        assert str(eval(code)) == second.reference
        assert without_numbers(task.description) == without_numbers(second.description)


def without_numbers(text: str) -> str:
    words = "|".join([*quantities.TIMES.values(), *quantities.PARTS.values(), "[0-9]+"])
    return re.sub(rf"\b({words})\b", "N", re.sub("'[a-z]+'", "'word'", text), flags=re.IGNORECASE)
