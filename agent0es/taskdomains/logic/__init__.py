"""The logic domain: formulas, syllogisms, puzzles and proofs; every answer is computed by its family."""

import random
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from agent0es.domain.task import Submission, Task, Verification
from agent0es.errors import ConfigurationError
from agent0es.taskdomains.base import Demonstration, NeedsCall, Split
from agent0es.taskdomains.freeform import Freeform, expression_freeform
from agent0es.taskdomains.logic import verifier
from agent0es.taskdomains.logic.families import FAMILIES
from agent0es.taskdomains.logic.families.common import LogicFamily
from agent0es.taskdomains.moving import move, rename

__all__ = ["LogicDomain"]

MIXED = (
    "formula_value",
    "satisfying_count",
    "some_number",
    "tautology",
    "culprit",
    "satisfying_model",
    "symmetric_relation",
    "order_count",
    "every_number",
    "entailment",
    "knights_and_knaves",
    "categorical_statement",
    "modus_ponens_proof",
    "model_list",
    "derivable_fact",
    "finishing_order",
)
"""Families of the mixed demonstrations, the broadest mix first."""
MIXED_SEED = 2024


class LogicDomain:
    """Task families with exact answers for the tool `python`."""

    name = "logic"
    tools = ("python",)
    calls_per_attempt = 1

    def __init__(self) -> None:
        self.system = _prompt("system")
        self.teacher_system = _prompt("teacher")
        self.freeform: Freeform | None = expression_freeform(self.name, _prompt("freeform"))
        self._families = {family.name: family for family in FAMILIES}

    def families(self, split: Split) -> Sequence[LogicFamily]:
        """The families of one split, in the order of their modules."""
        return [family for family in FAMILIES if family.split == split]

    def family(self, name: str) -> LogicFamily:
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
        """Whether the answer is right, or the program to run in the sandbox in order to know."""
        return verifier.judge(submission.answer, task)

    def conclude(self, status: str, output: str, submission: Submission, task: Task) -> Verification:
        """The judgement, from the program's output."""
        return verifier.conclude(output if status == "ok" else "", submission.answer, task)

    def normal_form(self, answer: str | None) -> str | None:
        """One text for all answers that say the same."""
        return verifier.normal_form(answer)

    def second_instance(self, task: Task, code: str, rng: random.Random) -> tuple[Task, str] | None:
        """Another instance with another answer, and the tool input rewritten for it.

        None where the code does not hold what the instance is made of (`True` holds no formula, so that it is right
        says nothing), and for a task of no family.
        """
        family = self._families.get(task.family)
        if family is None or "variant" not in task.parameters:
            return None
        second = family.second_instance(task, rng)
        moved = _moved(family, code, task, second)
        return None if moved is None else (second, moved)


def _moved(family: LogicFamily, code: str, task: Task, second: Task) -> str | None:
    if family.group == "proofs":
        return rename(code, family.facts(task.parameters)["letters"], family.facts(second.parameters)["letters"])
    return move(code, family.moving_parts(task.parameters), family.moving_parts(second.parameters))


@cache
def _mixed() -> tuple[Demonstration, ...]:
    rng = random.Random(MIXED_SEED)
    families = {family.name: family for family in FAMILIES}
    return tuple(families[name].demonstrations(1, rng)[0] for name in MIXED)


@cache
def _prompt(name: str) -> str:
    return Path(__file__).with_name("prompts").joinpath(f"{name}.txt").read_text(encoding="utf-8").strip()
