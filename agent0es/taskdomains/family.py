"""What task domains share: `FamilyDomain`, a domain that is its families and a way to judge their answers."""

import random
import re
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Self

from agent0es.domain.prompt import Message, Speaker
from agent0es.domain.task import Submission, Task, Verification
from agent0es.errors import ConfigurationError
from agent0es.taskdomains.base import Demonstration, Family, Freeform, Guide, NeedsCall, Split, Told
from agent0es.taskdomains.judging import judge_value, value_key

MOST_MIXED = 16
"""Families of the mixed demonstrations, where a domain doesn't name them."""


class FamilyDomain:
    """A task domain. A subclass names itself and its families, and says what else is its own.

    A family's answers are single numbers, words or short texts unless `judge`, `conclude` and `normal_form` say more.
    """

    name: str
    own: Sequence[Family]
    """Its families, of all splits."""
    tools: tuple[str, ...] = ("python",)
    """Tools that its worked examples call."""
    calls_per_attempt: int = 1
    """How many calls an attempt may take, where the configuration doesn't say."""
    system: str = "Solve the task. Use a tool, then give the answer."
    """The student's system prompt."""
    guide: Guide = ()
    """For a student that was not trained on these tools: a system turn in place of `system`, and worked examples."""
    shown: Guide = ()
    """The worked examples that a run's students are shown: none, or the guide's."""
    trained: Told | None = None
    """What students with an adapter are told instead; None for the same."""
    teacher_system: str = "Write one task as JSON: one of the families, and its parameters."
    """The teacher's system prompt."""
    freeform: Freeform | None = None
    """How the teacher writes tasks of its own; None where it can't."""
    mixture: tuple[str, ...] = ()
    """Families of the mixed demonstrations, the broadest mix first; the first practised ones where none are named."""
    mixture_seed: int = 2024

    def __init__(self) -> None:
        self._families: dict[str, Family] = {
            family.name: family if family.domain else replace(family, domain=self.name) for family in self.own
        }

    def with_family(self, family: Family) -> Self:
        """This domain with a family more, after its own. Raises ConfigurationError where its name is taken."""
        if family.name in self._families:
            raise ConfigurationError(f"the domain {self.name} has a family {family.name!r} of its own")
        extended = copy(self)
        extended._families = {**self._families, family.name: family}
        return extended

    def families(self, split: Split) -> Sequence[Family]:
        """The families of one split, in the order in which they are named."""
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
        """Worked examples of different practised families, always the same ones."""
        return self._mixed[:count]

    def judge(self, submission: Submission, task: Task) -> Verification | NeedsCall:
        """Whether the answer is right, or the call to make in the sandbox in order to know."""
        return judge_value(submission.answer, task.reference)

    def conclude(self, status: str, output: str, submission: Submission, task: Task) -> Verification:
        """The judgement, from what came of the call; the same as `judge`, where that needs none."""
        found = self.judge(submission, task)
        assert isinstance(found, Verification), "a domain that needs calls concludes from them itself"
        return found

    def normal_form(self, answer: str | None) -> str | None:
        """One text for all answers that say the same; None for no answer."""
        return value_key(answer)

    def second_instance(self, task: Task, code: str, rng: random.Random) -> tuple[Task, str] | None:
        """Another instance of the task's family, and the tool input rewritten for it; None where it can't be moved,
        and for a task of no family."""
        family = self._families.get(task.family)
        if family is None or not family.parameters.keys() <= task.parameters.keys():
            return None
        return family.moved(task, code, rng)

    @cached_property
    def _mixed(self) -> tuple[Demonstration, ...]:
        rng = random.Random(self.mixture_seed)
        practised = [family.name for family in self.own if family.split == "practised"][:MOST_MIXED]
        return tuple(self.family(name).demonstrations(1, rng)[0] for name in self.mixture or practised)


def prompt(module: str, name: str) -> str:
    """The prompt `prompts/NAME.txt` beside a module's file, without the line break at its end."""
    return Path(module).with_name("prompts").joinpath(f"{name}.txt").read_text(encoding="utf-8").strip()


def guide(module: str, name: str = "guide") -> Guide:
    """The turns of `prompts/NAME.txt` beside a module's file, each under a line `[role]`."""
    pieces = re.split(r"^\[(system|user|assistant)\]\n", prompt(module, name), flags=re.MULTILINE)[1:]
    roles: list[Speaker] = pieces[::2]  # type: ignore[assignment]  # the pattern has no other
    return tuple(Message(role, text.strip()) for role, text in zip(roles, pieces[1::2], strict=True))
