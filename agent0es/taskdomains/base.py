"""What a task domain is made of: families of tasks, worked examples, and a verifier's ways to answer."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

from agent0es.domain.program import Program
from agent0es.domain.prompt import Message
from agent0es.domain.task import Scalar, Submission, Task, Verification
from agent0es.errors import ConfigurationError
from agent0es.sandbox.programs import program_of
from agent0es.taskdomains.literals import signature, transplant
from agent0es.taskdomains.parameters import Choice, Day, Int, IntList, Parameter, Phrase

__all__ = [
    "FEWEST_PRACTISED",
    "Choice",
    "Day",
    "Demonstration",
    "Draft",
    "Family",
    "Freeform",
    "Guide",
    "Int",
    "IntList",
    "NeedsCall",
    "Parameter",
    "Phrase",
    "Split",
    "TaskDomain",
    "Told",
    "needs_program",
    "signature",
    "transplant",
]

Split = Literal["practised", "held_out", "validation"]
"""practised: trained on. held_out: never trained on, gives the headline. validation: never trained on, for choices."""

FEWEST_PRACTISED = 3
"""Families that a domain must practise: the teacher's worked examples, and its probes, offer so many at once."""
Guide = tuple[Message, ...]
"""A system turn and worked examples as turns of a chat, in which what a tool gave is a turn of the user."""

SAMPLE_TRIES = 5000
OTHER_ANSWER_TRIES = 20
OTHER_PARAMETERS_TRIES = 200


@dataclass(frozen=True, slots=True)
class Told:
    """What a student reads before any task of a domain."""

    system: str
    """The system turn."""
    guide: Guide = ()
    """Worked examples, as turns after it."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A worked example, as the student would write it."""

    description: str
    action: str
    """E.g. `python[math.gcd(48, 36)]`."""
    observation: str
    answer: str
    steps: tuple[tuple[str, str], ...] = ()
    """Calls before that one: (action, observation)."""


@dataclass(frozen=True, slots=True)
class NeedsCall:
    """A judgement that takes more than comparing texts: the caller makes this call in the sandbox, and hands over what
    came of it."""

    tool: str
    """Name of a tool, whether or not the student may call it: `python`, `tests`."""
    input: str
    """What the tool is given. What a model wrote is in it as data, or is what the tool is there to run."""
    files: Mapping[str, str] = field(default_factory=dict)
    """The working directory of the call: relative path to text."""
    program: Program | None = None
    """What runs instead of the tool, under the tool's limits; `input` is its data."""


def needs_program(name: str, **data: object) -> NeedsCall:
    """A judgement by a program for the sandbox (`sandbox.programs.program_of`), which reads this data as JSON."""
    return NeedsCall("python", json.dumps(data, sort_keys=True), program=program_of(name))


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


@dataclass(frozen=True, slots=True)
class Family:
    """A parametrised task with an exact answer. Pure; all randomness is passed in."""

    name: str
    group: str
    """The kind of thing it is about, e.g. `dates`."""
    split: Split
    parameters: Mapping[str, Parameter]
    wordings: tuple[str, ...]
    """`str.format` templates; each shows every parameter as it is, or what `facts_of` makes of it."""
    reference_action: str
    """`str.format` template of the tool call, e.g. `python[math.gcd({a}, {b})]`; empty where no single call does it."""
    answer_of: Callable[..., str]
    """The task's reference from the parameters as keywords, computed by other means than the reference action."""
    constraint: Callable[..., str | None] | None = None
    """Why parameters that are in range don't make a task together, in one line; None where they do."""
    domain: str = ""
    """Left out, it is the domain that has the family among its own."""
    facts_of: Callable[..., Mapping[str, str]] | None = None
    """More values for the templates, made from the parameters: a formula, a table, a program."""
    files_of: Callable[..., Mapping[str, str]] | None = None
    """What lies in the working directory at the start, made from the parameters."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError for a split that is none."""
        if self.split not in get_args(Split):
            splits = ", ".join(get_args(Split))
            raise ConfigurationError(f"family {self.name}: there is no split {self.split!r}; there are: {splits}")

    def sample(self, rng: random.Random, difficulty: float) -> dict[str, Scalar]:
        """Parameters that make a task. Raises ValueError for a family whose constraint next to nothing meets."""
        for _ in range(SAMPLE_TRIES):
            parameters = {name: kind.sample(rng, difficulty) for name, kind in self.parameters.items()}
            if self.constraint is None or self.constraint(**parameters) is None:
                return parameters
        raise ValueError(f"family {self.name}: no parameters at difficulty {difficulty} meet the constraint")

    def schema(self, difficulty: float) -> dict[str, Any]:
        """JSON schema of an object with the parameters in range. It can't state the constraint: `check` does."""
        return {
            "type": "object",
            "properties": {name: kind.schema(difficulty) for name, kind in self.parameters.items()},
            "required": list(self.parameters),
            "additionalProperties": False,
        }

    def check(self, parameters: Mapping[str, Scalar], difficulty: float) -> str | None:
        """Why these parameters make no task at this difficulty, in one line; None when they do."""
        for name in self.parameters:
            if name not in parameters:
                return f"{name} is missing"
        for name, value in parameters.items():
            if name not in self.parameters:
                return f"{name[:40]!r} is not a parameter of {self.name}"
            reason = self.parameters[name].refusal(value, difficulty)
            if reason is not None:
                return f"{name}: {reason}"
        return None if self.constraint is None else self.constraint(**parameters)

    def answer(self, parameters: Mapping[str, Scalar]) -> str:
        """The true answer, as the reference action prints it."""
        return self.answer_of(**parameters)

    def action(self, parameters: Mapping[str, Scalar]) -> str:
        """The tool call that computes the answer."""
        return self.reference_action.format(**self._facts(parameters))

    def task(self, parameters: Mapping[str, Scalar], wording: int, difficulty: float) -> Task:
        """The task of checked parameters."""
        return Task(
            domain=self.domain,
            family=self.name,
            parameters=dict(parameters),
            wording=wording,
            description=self.wordings[wording].format(**self._facts(parameters)),
            reference=self.answer(parameters),
            reference_action=self.action(parameters),
            difficulty=difficulty,
            files={} if self.files_of is None else dict(self.files_of(**parameters)),
        )

    def _facts(self, parameters: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
        return parameters if self.facts_of is None else {**parameters, **self.facts_of(**parameters)}

    def second_instance(self, task: Task, rng: random.Random) -> Task:
        """Another instance with the same wording and difficulty; each parameter differs where its range allows it,
        equal ones stay equal, lists keep their length, and the answer differs where a few tries find
        such parameters."""
        for _ in range(OTHER_ANSWER_TRIES):
            second = self.task(self._others(task, rng), task.wording, task.difficulty)
            if second.reference != task.reference:
                break
        return second

    def _others(self, task: Task, rng: random.Random) -> dict[str, Scalar]:
        for _ in range(OTHER_PARAMETERS_TRIES):
            moved: dict[Scalar, Scalar] = {}
            for name, kind in self.parameters.items():
                old = task.parameters[name]
                moved.setdefault(old, kind.different(rng, task.difficulty, old))
            parameters = {name: moved[old] for name, old in task.parameters.items()}
            if self.check(parameters, task.difficulty) is None:
                return parameters
        return self.sample(rng, task.difficulty)

    def moved(self, task: Task, code: str, rng: random.Random) -> tuple[Task, str] | None:
        """Another instance, and the tool input that was written for `task` rewritten for it; None where it can't be."""
        second = self.second_instance(task, rng)
        text = self.rewritten(code, task, second)
        return None if text is None else (second, text)

    def rewritten(self, code: str, first: Task, second: Task) -> str | None:
        """Code that was written for the first of two tasks of this family, for the second; None where it can't be."""
        return transplant(code, first, second)

    def demonstrations(self, count: int, rng: random.Random) -> list[Demonstration]:
        """Worked examples from easy to middling difficulty, wordings in turn."""
        made = []
        for i in range(count):
            difficulty = 0.5 * i / max(1, count - 1)
            task = self.task(self.sample(rng, difficulty), i % len(self.wordings), difficulty)
            made.append(Demonstration(task.description, task.reference_action, task.reference, task.reference))
        return made


class TaskDomain(Protocol):
    """A field of practice. Implementations are made without arguments and hold no state."""

    name: str
    tools: tuple[str, ...]
    """Tools that its worked examples call."""
    calls_per_attempt: int
    """How many calls an attempt may take, where the configuration doesn't say."""
    freeform: Freeform | None
    """How the teacher writes tasks of its own; None where it can't."""
    system: str
    """The student's system prompt."""
    guide: Guide
    """For a student that was not trained on these tools: a system turn in place of `system`, and worked examples."""
    shown: Guide
    """The worked examples that a run's students are shown: none, or the guide's."""
    trained: Told | None
    """What students with an adapter are told instead of `system` and `shown`; None for the same."""
    teacher_system: str
    """The teacher's system prompt."""

    def families(self, split: Split) -> Sequence[Family]:
        """The families of one split, always in the same order."""
        ...

    def family(self, name: str) -> Family:
        """The family of this name. Raises ConfigurationError where there is none."""
        ...

    def demonstrations(self, family: str, count: int, rng: random.Random) -> Sequence[Demonstration]:
        """Worked examples of one family."""
        ...

    def mixed_demonstrations(self, count: int) -> Sequence[Demonstration]:
        """Worked examples, each of another practised family: the same text every time."""
        ...

    def judge(self, submission: Submission, task: Task) -> Verification | NeedsCall:
        """Whether the submission is right, or the call to make in the sandbox in order to know. Pure; never raises."""
        ...

    def conclude(self, status: str, output: str, submission: Submission, task: Task) -> Verification:
        """The judgement, from the call's status (`ok`, `error`, `timeout`, `denied`, `limit`) and output; undecided
        where that says nothing. Pure; never raises."""
        ...

    def normal_form(self, answer: str | None) -> str | None:
        """A text that is the same for answers that say the same, for counting majorities; None for no answer."""
        ...

    def second_instance(self, task: Task, code: str, rng: random.Random) -> tuple[Task, str] | None:
        """Another instance of the task's family, and the tool input rewritten for it; None where it can't be moved."""
        ...
