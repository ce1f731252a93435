"""The long-horizon domain: tasks of several stages in one working directory, with milestones checked one by one."""

import random
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from agent0es.domain.task import Submission, Task, Verification
from agent0es.errors import ConfigurationError
from agent0es.taskdomains.base import Demonstration, Family, NeedsCall, Split
from agent0es.taskdomains.freeform import Freeform
from agent0es.taskdomains.long_horizon import verifier
from agent0es.taskdomains.long_horizon.families import FAMILIES

__all__ = ["LongHorizonDomain"]

MIXED = (
    "file_total",
    "table_total",
    "file_selection",
    "word_lengths_file",
    "stock_extreme",
    "unique_words_file",
    "table_rows",
    "file_ordering",
    "word_replacement_file",
    "file_scaling",
)
"""Families of the mixed demonstrations, the broadest mix first."""
MIXED_SEED = 2026


class LongHorizonDomain:
    """Task families for several calls of the tools `python` and `shell`."""

    name = "long_horizon"
    tools = ("python", "shell")
    calls_per_attempt = 4

    def __init__(self) -> None:
        self.system = _prompt("system")
        self.teacher_system = _prompt("teacher")
        self.freeform: Freeform | None = None  # its tasks are stories with files and milestones
        self._families = {family.name: family for family in FAMILIES}

    def families(self, split: Split) -> Sequence[Family]:
        """The families of one split, in the order of their modules."""
        return [family for family in FAMILIES if family.split == split]

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
        """Worked examples of up to 10 different practised families, always the same ones."""
        return _mixed()[:count]

    def judge(self, submission: Submission, task: Task) -> Verification | NeedsCall:
        """Which milestones were reached."""
        return verifier.judge(submission, task)

    def conclude(self, status: str, output: str, submission: Submission, task: Task) -> Verification:
        """The same as `judge`, which needs no call."""
        return verifier.judge(submission, task)

    def normal_form(self, answer: str | None) -> str | None:
        """One text for all answers that say the same."""
        return verifier.normal_form(answer)

    def second_instance(self, task: Task, code: str, rng: random.Random) -> tuple[Task, str] | None:
        """None: a single call is not the work of an attempt here, and luck would have to write the right files too."""
        return None


@cache
def _mixed() -> tuple[Demonstration, ...]:
    rng = random.Random(MIXED_SEED)
    families = {family.name: family for family in FAMILIES}
    return tuple(families[name].demonstrations(1, rng)[0] for name in MIXED)


@cache
def _prompt(name: str) -> str:
    return Path(__file__).with_name("prompts").joinpath(f"{name}.txt").read_text(encoding="utf-8").strip()
