"""Tasks of the procedural datasets of reasoning-gym (the extra `gym`): texts and answers are the library's."""

import random
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from agent0es.domain.task import Submission, Task, Verification
from agent0es.errors import ConfigurationError, NotInstalled
from agent0es.taskdomains.base import Demonstration, Split
from agent0es.taskdomains.freeform import Freeform
from agent0es.taskdomains.moving import move
from agent0es.taskdomains.reasoning_gym import verifier
from agent0es.taskdomains.reasoning_gym.families import FAMILIES
from agent0es.taskdomains.reasoning_gym.families.common import GymFamily

__all__ = ["ReasoningGymDomain"]

MIXED = (
    "gym_basic_arithmetic",
    "gym_spell_backward",
    "gym_gcd",
    "gym_weekday_of_date",
    "gym_letter_counting",
    "gym_leg_counting",
    "gym_fraction_simplification",
    "gym_number_filtering",
    "gym_products",
    "gym_simple_equations",
    "gym_word_sequence_reversal",
    "gym_base_conversion",
    "gym_business_days",
    "gym_chain_sum",
    "gym_prime_factorization",
    "gym_friends",
)
"""Families of the mixed demonstrations, the broadest mix first."""
MIXED_SEED = 2027
INSTALL = "the task domain reasoning_gym needs reasoning-gym; in a clone of agent0es: pip install -e '.[gym]'"


class ReasoningGymDomain:
    """Task families of reasoning-gym, with exact answers for the tool `python`."""

    name = "reasoning_gym"
    tools = ("python",)
    calls_per_attempt = 1

    def __init__(self) -> None:
        """Raises NotInstalled where the library is not."""
        if find_spec("reasoning_gym") is None:
            raise NotInstalled(INSTALL)
        self.system = _prompt("system")
        self.teacher_system = _prompt("teacher")
        self.freeform: Freeform | None = None  # its tasks are the library's
        self._families = {family.name: family for family in FAMILIES}

    def families(self, split: Split) -> Sequence[GymFamily]:
        """The families of one split, in the order of their modules."""
        return [family for family in FAMILIES if family.split == split]

    def family(self, name: str) -> GymFamily:
        """The family of this name. Raises ConfigurationError where there is none."""
        if name in self._families:
            return self._families[name]
        near = get_close_matches(name, self._families, n=1)
        hint = f": did you mean {near[0]!r}?" if near else ""
        raise ConfigurationError(f"no family of the domain {self.name} is called {name[:60]!r}{hint}")

    def demonstrations(self, family: str, count: int, rng: random.Random) -> Sequence[Demonstration]:
        """Worked examples of one family."""
        return self.family(family).demonstrations(count, rng)

    def mixed_demonstrations(self, count: int) -> Sequence[Demonstration]:
        """Worked examples of up to 16 different practised families, always the same ones."""
        return _mixed()[:count]

    def judge(self, submission: Submission, task: Task) -> Verification:
        """Whether the answer is right."""
        family = self._families.get(task.family)
        compare = verifier.compare_of(task.reference) if family is None else family.compare
        return verifier.judge(submission.answer, task.reference, compare)

    def conclude(self, status: str, output: str, submission: Submission, task: Task) -> Verification:
        """The same as `judge`, which needs no call."""
        return self.judge(submission, task)

    def normal_form(self, answer: str | None) -> str | None:
        """One text for all answers that say the same."""
        return verifier.normal_form(answer)

    def second_instance(self, task: Task, code: str, rng: random.Random) -> tuple[Task, str] | None:
        """Another instance with another answer, and the tool input rewritten for it; None where the code does not hold
        what the instance is made of."""
        family = self._families.get(task.family)
        if family is None:
            return None
        second = family.second_instance(task, rng)
        moved = move(code, family.moving_parts(task.parameters), family.moving_parts(second.parameters))
        return None if moved is None else (second, moved)


@cache
def _mixed() -> tuple[Demonstration, ...]:
    rng = random.Random(MIXED_SEED)
    families = {family.name: family for family in FAMILIES}
    return tuple(families[name].demonstrations(1, rng)[0] for name in MIXED)


@cache
def _prompt(name: str) -> str:
    return Path(__file__).with_name("prompts").joinpath(f"{name}.txt").read_text(encoding="utf-8").strip()
