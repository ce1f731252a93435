"""What each agent did in practice that can be learnt from, as examples: attempts (student) and proposals (teacher).

Which of them are learnt is said in `projections/datasets.py`.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from agent0es.agents.teacher import request_text
from agent0es.domain import events as ev
from agent0es.domain.curriculum import offer
from agent0es.domain.prompt import Part
from agent0es.domain.task import Solution, Task
from agent0es.projections.practice import Attempt, Practice, Practised, is_right, is_wrong, thought
from agent0es.taskdomains.base import signature

Rows = Literal["filtered", "asked", "messages", "text", "pairs", "groups"]
"""By which rules rows are chosen, and what a row has of its prompt, as DatasetBuilt says it."""
AS_ASKED: Collection[Rows] = ("filtered", "asked")
"""Rows in which nothing is learnt that was thought about, and whose prompts are those that were asked."""
LearnFrom = Literal["observed", "correct", "mended"]
"""As `training.learn_from`."""


@dataclass(frozen=True, slots=True)
class Example:
    """Something that an agent wrote and that is worth learning from."""

    source: str
    """Attempt (student) or task (teacher) that it comes from."""
    task: int
    domain: str
    family: str
    request: str
    """What the agent was asked."""
    idiom: str
    """The student's call with its literals masked; empty for the teacher."""
    reward: float
    """The teacher's reward for the task; 0 for the student, whose rows are all correct."""
    said: tuple[Part, ...]
    """The agent's last turn in pieces; observations are not trainable."""
    turns: tuple[Part, ...] = ()
    """The turns between the request and that one, in a chat."""
    freeform: bool = False
    """Whether the teacher was to write the task itself."""
    thought: bool = False
    """Whether the agent thought before one of its turns, where that can be told apart. Templates leave thoughts of
    earlier turns out, so that one text can't hold them all; and who learns the words alone learns not to think."""
    novelty: float = 1.0
    """Of the task, as TaskProposed has it."""
    solved: float = 0.5
    """p̂: the share of the attempts at the task that were right."""
    difficulty: float = 0.0
    """Of the task."""
    run: str = ""
    """The run that made the attempt, or proposed the task."""
    mended: str | None = None
    """The wrong attempt that it goes on from, as `projections/mending.py` puts them together."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Where it comes from."""
        return (self.source,) if self.mended is None else (self.source, self.mended)

    @property
    def name(self) -> str:
        """What tells it from the other examples of a task."""
        return " after ".join(self.sources)

    @property
    def segments(self) -> tuple[tuple[str, bool], ...]:
        """The agent's last turn: (text, trainable) in order."""
        return tuple((part.text, part.trainable) for part in self.said)


def student_examples(practice: Practice, learn_from: LearnFrom = "observed") -> list[Example]:
    """Every right attempt that may be learnt from."""
    return [
        attempted_example(task, attempt)
        for task, attempt in _judged(practice)
        if is_right(attempt) and is_learnable(task, attempt, learn_from)
    ]


def wrong_examples(practice: Practice) -> list[Example]:
    """Every attempt that was found wrong: what a right one at the same task is held against."""
    return [attempted_example(task, attempt) for task, attempt in _judged(practice) if is_wrong(attempt)]


def attempted(practice: Practice) -> list[Example]:
    """Every attempt that was judged."""
    return [attempted_example(task, attempt) for task, attempt in _judged(practice)]


def task_examples(practice: Practice) -> list[Example]:
    """Every task that was tried, without an attempt at it."""
    return [
        _example(task, source=str(number), said=(), run=task.run)
        for number, task in practice.tasks.items()
        if task.judged and not practice.is_retracted(str(number))
    ]


def _judged(practice: Practice) -> Iterator[tuple[Practised, Attempt]]:
    for task in practice.tasks.values():
        yield from ((task, attempt) for attempt in task.judged if not practice.is_retracted(attempt.name))


def is_learnable(task: Practised, attempt: Attempt, learn_from: LearnFrom) -> bool:
    """Whether a right attempt at a task is `learnable`."""
    assert attempt.solution is not None and attempt.verified is not None, "it was judged"
    return learnable(attempt.solution, attempt.verified, task.task, learn_from, attempt.statuses)


def learnable(
    solution: Solution, verified: ev.Verified, task: Task, learn_from: LearnFrom, statuses: Sequence[str]
) -> bool:
    """Whether a correct attempt is worth learning from: with a call, and not right by luck. `statuses`: how its calls
    ended.

    `observed`: without a tool's error. One call whose output is the answer must be right on a second instance too; a
    freely written task has none. Hidden tests and milestones are many instances in themselves, and their answer need
    not be what a call printed.

    `correct`, and so `mended`: of any number of calls, and with errors that were mended: the last call ended with `ok`,
    and none is known to be wrong on a second instance.
    """
    if learn_from != "observed":
        return solution.tool_calls > 0 and statuses[-1] == "ok" and verified.second_instance is not False
    if solution.tool_errors:
        return False
    if verified.verification.method in ("tests", "milestones"):
        return solution.tool_calls > 0
    lucky = verified.second_instance is not True and bool(task.parameters)
    return solution.tool_calls == 1 and solution.observed and not lucky


def attempted_example(practised: Practised, attempt: Attempt) -> Example:
    """An attempt as an example. It has asked its model at least once."""
    called = attempt.last
    assert called is not None
    return replace(
        _example(practised, source=attempt.name, said=last_turn(called, attempt.statuses), run=attempt.run),
        idiom=signature(attempt.call),
        turns=called.prompt.turns[1:],
        thought=attempt.thought,
    )


def _example(practised: Practised, source: str, said: tuple[Part, ...], run: str) -> Example:
    """What every example of a task has."""
    assert practised.proposed is not None
    task = practised.task
    return Example(
        source=source,
        task=practised.number,
        domain=task.domain,
        family=task.family,
        request=task.description,
        idiom="",
        reward=0.0,
        said=said,
        novelty=practised.proposed.novelty,
        solved=practised.solved,
        difficulty=task.difficulty,
        run=run,
    )


def last_turn(called: ev.ModelCalled, statuses: Sequence[str]) -> tuple[Part, ...]:
    """The student's last turn, from its last request: what it wrote is trainable, what tools gave is not, nor is a call
    that ended with another status than `ok`."""
    begun: list[Part] = []
    ended = iter(statuses)
    for part in called.prompt.prefill:
        if part.author == "tool" and next(ended, "ok") != "ok":
            begun[-1] = begun[-1].model_copy(update={"trainable": False})
        begun.append(part)
    return (*begun, Part(text=called.text.rstrip(), author="model", trainable=True))


def teacher_examples(practice: Practice, rows: Rows = "filtered") -> list[Example]:
    """Every proposal that became a completed task, with the teacher's reward for it."""
    return [
        _proposed(task, rows)
        for task in practice.tasks.values()
        if task.reward is not None and not practice.is_retracted(str(task.number))
    ]


def _proposed(practised: Practised, rows: Rows) -> Example:
    requested, called, reward = practised.requested, practised.asked, practised.reward
    assert requested is not None and called is not None and reward is not None
    words = (Part(text=called.text.strip(), author="model", trainable=True),)
    asked = called.prompt.turns[-1].text if rows in AS_ASKED else request_text(offer(requested))
    return replace(
        _example(practised, source=str(practised.number), said=words, run=practised.run),
        request=asked,
        reward=reward,
        freeform=rows in AS_ASKED and requested.source == "freeform",
        thought=thought(called),
    )
