"""Tasks that a teacher writes itself: a text, and a reference that can be run. All of it is checked first."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agent0es.domain.task import Task
from agent0es.taskdomains.base import NeedsCall

SHORTEST, LONGEST = 12, 400
"""Characters of a task's text."""
LONGEST_ANSWER = 100
NUMBER = re.compile(r"(?<![\w.])[0-9]+(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Draft:
    """A task as the teacher wrote it, before anything has been run."""

    description: str
    reference: NeedsCall
    """The call that computes the answer."""


@dataclass(frozen=True, slots=True)
class Freeform:
    """How a domain's teacher writes tasks of its own."""

    system: str
    """The teacher's system prompt."""
    fields: Mapping[str, int]
    """What a proposal consists of: name of the text to its longest length. `task` is what the student reads."""
    example: Callable[[Task], Mapping[str, str] | None]
    """A family's task as such a proposal, for the prompt; None where it can't be written as one."""
    draft: Callable[[Mapping[str, str]], Draft | str]
    """The draft in a proposal's fields, or why there is none. Pure; never raises."""
    task: Callable[[Draft, str, float], Task | str]
    """The task, from what the reference printed and the difficulty that was asked for; or why there is none."""
    answer: Callable[[Task], str]
    """An answer that the verifier must take."""
    mutants: Callable[[Task], tuple[str, ...]]
    """Answers that it must refuse."""

    def schema(self) -> dict[str, Any]:
        """JSON schema of a proposal.

        It sets no lengths: an engine that counts characters while it writes took 40 times as long.
        """
        return {
            "type": "object",
            "properties": {name: {"type": "string"} for name in self.fields},
            "required": list(self.fields),
            "additionalProperties": False,
        }


def family_of(domain: str) -> str:
    """The name under which a domain's freeform tasks are counted."""
    return f"{domain}_freeform"


def expression_freeform(domain: str, system: str) -> Freeform:
    """Freeform tasks whose reference is a Python expression: `{"task": "What is 3 + 4?", "expression": "3 + 4"}`."""

    def example(task: Task) -> Mapping[str, str] | None:
        tool, _, expression = task.reference_action.partition("[")
        return {"task": task.description, "expression": expression[:-1]} if tool == "python" else None

    def draft(fields: Mapping[str, str]) -> Draft | str:
        text, expression = " ".join(fields["task"].split()), fields["expression"].strip()
        if not SHORTEST <= len(text) <= LONGEST:
            return f"the task has {len(text)} characters"
        missing = sorted(set(NUMBER.findall(text)) - set(NUMBER.findall(expression)))
        if missing:
            return f"the expression leaves out {', '.join(missing)[:40]}"
        if not NUMBER.search(expression) and not re.search(r"['\"\[]", expression):
            return "the expression has no value of its own"
        return Draft(text, NeedsCall("python", expression))

    def task(draft: Draft, output: str, difficulty: float) -> Task | str:
        answer = output.strip()
        if not answer or answer == "(no output)" or "\n" in answer or len(answer) > LONGEST_ANSWER:
            return f"the expression prints {answer[:40]!r}, which is no answer"
        if answer.strip("'\"") == draft.reference.input.strip("'\""):
            return "the expression is its own answer"
        return Task(
            domain=domain,
            family=family_of(domain),
            parameters={},
            wording=0,
            description=draft.description,
            reference=answer,
            reference_action=f"python[{draft.reference.input}]",
            difficulty=difficulty,
        )

    return Freeform(
        system=system,
        fields={"task": LONGEST, "expression": 160},
        example=example,
        draft=draft,
        task=task,
        answer=lambda made: made.reference,
        mutants=lambda made: mutants(made.reference),
    )


def mutants(answer: str) -> tuple[str, ...]:
    """Answers that look like this one and are wrong."""
    if answer in ("True", "False"):
        return ("False" if answer == "True" else "True",)
    if re.fullmatch(r"[+-]?[0-9]+", answer):
        return str(int(answer) + 1), str(int(answer) * 10 + 7), str(-int(answer) - 1)
    if re.fullmatch(r"[+-]?[0-9]+\.[0-9]+", answer):
        return f"{answer}7" if answer.endswith("5") else f"{answer}5", str(float(answer) + 1)
    longer = f"{answer[:-1]}, 7]" if answer.endswith("]") else f"{answer}x"
    return (longer, answer[::-1]) if answer[::-1] != answer else (longer,)
