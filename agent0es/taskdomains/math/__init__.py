"""The math domain: arithmetic, lists, strings, dates, algebra and more; every answer is computed by its family."""

import random
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from agent0es.domain.task import Submission, Task, Verification
from agent0es.errors import ConfigurationError
from agent0es.taskdomains.base import Demonstration, Family, NeedsCall, Split, transplant
from agent0es.taskdomains.freeform import Freeform, expression_freeform
from agent0es.taskdomains.math import verifier
from agent0es.taskdomains.math.families import CORE, EXTENDED

__all__ = ["AdvancedMathDomain", "MathDomain"]

MIXED = (
    "product",
    "word_reversal",
    "list_sum",
    "gcd",
    "days_after",
    "even_count",
    "expansion",
    "fraction_sum",
    "percent_of",
    "digit_sum",
    "first_letters",
    "keep_less",
    "sum_up_to",
    "upper_case",
    "remainder",
    "list_mean",
)
"""Families of the mixed demonstrations, the broadest mix first."""
MIXED_SEED = 2024


class MathDomain:
    """Task families with exact answers for the tools `python` and `math`."""

    name = "math"
    tools = ("python", "math")
    calls_per_attempt = 1
    _mixture: tuple[str, ...] = MIXED

    def __init__(self) -> None:
        self.system = _prompt("system")
        self.teacher_system = _prompt("teacher")
        self.freeform: Freeform | None = expression_freeform(self.name, _prompt("freeform"))
        self._families = {family.name: family for family in self._own()}

    def families(self, split: Split) -> Sequence[Family]:
        """The families of one split, in the order of their modules."""
        return [family for family in self._families.values() if family.split == split]

    def family(self, name: str) -> Family:
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
        return _mixed(self._mixture)[:count]

    def judge(self, submission: Submission, task: Task) -> Verification | NeedsCall:
        """Whether the answer is right, or the program to run in the sandbox in order to know."""
        return verifier.judge(submission.answer, task)

    def conclude(self, status: str, output: str, submission: Submission, task: Task) -> Verification:
        """The judgement, from the program's output."""
        return verifier.conclude(status, output, submission.answer, task)

    def normal_form(self, answer: str | None) -> str | None:
        """One text for all answers that say the same."""
        return verifier.normal_form(answer)

    def second_instance(self, task: Task, code: str, rng: random.Random) -> tuple[Task, str] | None:
        """Another instance of the task's family, and the tool input rewritten for it; None where it can't be moved."""
        family = self._families.get(task.family)
        if family is None:
            return None
        second = family.second_instance(task, rng)
        moved = transplant(code, task, second)
        return None if moved is None else (second, moved)

    def _own(self) -> tuple[Family, ...]:
        return CORE


class AdvancedMathDomain(MathDomain):
    """The same tools and verifier, for what is taught later. A domain of its own, so that who practises `math` alone is
    measured on the same problems as ever."""

    name = "advanced_math"
    _mixture = tuple(family.name for family in EXTENDED if family.split == "practised")[::2][:16]

    def _own(self) -> tuple[Family, ...]:
        return tuple(replace(family, domain=self.name) for family in EXTENDED)


@cache
def _mixed(names: tuple[str, ...]) -> tuple[Demonstration, ...]:
    rng = random.Random(MIXED_SEED)
    families = {family.name: family for family in (*CORE, *EXTENDED)}
    return tuple(families[name].demonstrations(1, rng)[0] for name in names)


@cache
def _prompt(name: str) -> str:
    return Path(__file__).with_name("prompts").joinpath(f"{name}.txt").read_text(encoding="utf-8").strip()
