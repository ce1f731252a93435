"""The code domain: functions with hidden tests, outputs to predict, mistakes to fix, code to improve."""

import random
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from agent0es.domain.task import Submission, Task, Verification
from agent0es.errors import ConfigurationError
from agent0es.taskdomains.base import Demonstration, Family, NeedsCall, Split
from agent0es.taskdomains.code import verifier
from agent0es.taskdomains.code.families import FAMILIES
from agent0es.taskdomains.code.freeform import code_freeform
from agent0es.taskdomains.freeform import Freeform

__all__ = ["CodeDomain"]

MIXED = (
    "write_filter",
    "output_list_methods",
    "write_predicate",
    "fix_operator",
    "write_text_change",
    "output_comprehension",
    "plain_condition",
    "write_total",
    "write_dictionary",
    "rename_parameter",
    "write_map",
    "output_assignments",
    "fix_slice",
    "write_sorting",
    "write_formula",
    "output_text_methods",
)
"""Families of the mixed demonstrations, the broadest mix first."""
MIXED_SEED = 2025


class CodeDomain:
    """Task families for the tools `tests` and `python`."""

    name = "code"
    tools = ("tests", "python")
    calls_per_attempt = 1

    def __init__(self) -> None:
        self.system = _prompt("system")
        self.teacher_system = _prompt("teacher")
        self.freeform: Freeform | None = code_freeform(_prompt("freeform"))
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
        """Worked examples of up to 16 different practised families, always the same ones."""
        return _mixed()[:count]

    def judge(self, submission: Submission, task: Task) -> Verification | NeedsCall:
        """Whether the predicted output is right, or the hidden tests to run."""
        return verifier.judge(submission.answer, task)

    def conclude(self, status: str, output: str, submission: Submission, task: Task) -> Verification:
        """The judgement, from the results of the tests."""
        return verifier.conclude(status, output, submission.answer, task)

    def normal_form(self, answer: str | None) -> str | None:
        """One text for answers that differ in layout alone."""
        return verifier.normal_form(answer)

    def second_instance(self, task: Task, code: str, rng: random.Random) -> tuple[Task, str] | None:
        """For a predicted output, another program of the family in place of the task's, wherever that stands in the
        code. None for functions, whose hidden tests are the other instances, and for code without the program."""
        program = _program(task)
        if program is None or program not in code:
            return None
        second = self.family(task.family).second_instance(task, rng)
        other = _program(second)
        return None if other is None else (second, code.replace(program, other))


def _program(task: Task) -> str | None:
    """The program whose output is asked for; None for a task of another kind."""
    tool, _, rest = task.reference_action.partition("[")
    return rest[:-1] if tool == "python" else None


@cache
def _mixed() -> tuple[Demonstration, ...]:
    rng = random.Random(MIXED_SEED)
    families = {family.name: family for family in FAMILIES}
    return tuple(families[name].demonstrations(1, rng)[0] for name in MIXED)


@cache
def _prompt(name: str) -> str:
    return Path(__file__).with_name("prompts").joinpath(f"{name}.txt").read_text(encoding="utf-8").strip()
