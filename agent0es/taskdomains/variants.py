"""Families whose instances differ in nothing but their variant: what a description shows is made from it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter

from agent0es.domain.task import Scalar, Task
from agent0es.taskdomains.base import Demonstration, Family, Int
from agent0es.taskdomains.moving import move

VARIANT = Int((1, 999), (1, 999))
"""The seed of an instance."""
OTHER_VARIANT_TRIES = 40


@dataclass(frozen=True, slots=True)
class VariantFamily(Family):
    """A family whose instances differ in nothing but what their variant makes."""

    def facts(self, parameters: Mapping[str, Scalar]) -> Mapping[str, str]:
        """The texts of an instance."""
        assert self.facts_of is not None
        return self.facts_of(**parameters)

    def moving_parts(self, parameters: Mapping[str, Scalar]) -> dict[str, str]:
        """The texts that the reference action holds: what makes the instance."""
        facts = self.facts(parameters)
        return {name: facts[name] for _, name, _, _ in Formatter().parse(self.reference_action) if name}

    def printed(self, task: Task) -> str:
        """What the reference action prints."""
        return self.facts(task.parameters).get("printed", task.reference)

    def second_instance(self, task: Task, rng: random.Random) -> Task:
        """Another variant of the same sizes and wording, with another answer where a few tries find one."""
        second = task
        for _ in range(OTHER_VARIANT_TRIES):
            variant = VARIANT.different(rng, task.difficulty, task.parameters["variant"])
            parameters = {**task.parameters, "variant": variant}
            if self.check(parameters, task.difficulty) is not None:
                continue
            second = self.task(parameters, task.wording, task.difficulty)
            if self.printed(second) != self.printed(task):
                break
        return second

    def rewritten(self, code: str, first: Task, second: Task) -> str | None:
        """Code that was written for the first of two tasks, for the second. None where it does not hold what the
        instance is made of: `True` holds no formula, so that it is right says nothing."""
        return move(code, self.moving_parts(first.parameters), self.moving_parts(second.parameters))

    def demonstrations(self, count: int, rng: random.Random) -> list[Demonstration]:
        """Worked examples from easy to middling difficulty, wordings in turn; both answers where there are two."""
        made: list[Demonstration] = []
        for i in range(count):
            difficulty = 0.5 * i / max(1, count - 1)
            for _ in range(OTHER_VARIANT_TRIES):
                task = self.task(self.sample(rng, difficulty), i % len(self.wordings), difficulty)
                if not made or self.printed(task) != made[-1].answer:
                    break
            printed = self.printed(task)
            made.append(Demonstration(task.description, task.reference_action, printed, printed))
        return made
