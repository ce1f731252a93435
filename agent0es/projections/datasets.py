"""Training datasets: what can be learnt from the log, as of a position. A pure function of the events.

A student's row is a verified-correct attempt that is `learnable`. A teacher's row is a proposal that became a task,
best rewarded first. One row a task, capped per family, pooled over all iterations, without what was retracted before
it was built, and without what a model thought about before it wrote.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Protocol

from agent0es.agents.teacher import request_text
from agent0es.domain import events as ev
from agent0es.domain.curriculum import offer
from agent0es.domain.names import begun_as, in_store
from agent0es.domain.prompt import Part, Prompt
from agent0es.domain.retraction import covers
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Solution, Task
from agent0es.log import History, Recorded
from agent0es.log.upcasting_prompts import END_OF_TURN, as_before, broken
from agent0es.taskdomains.base import signature

Rows = Literal["asked", "messages", "text", "pairs", "groups"]
"""What a row has of its prompt, as DatasetBuilt says it."""
LearnFrom = Literal["observed", "correct"]
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
    segments: tuple[tuple[str, bool], ...]
    """The agent's last turn: (text, trainable) in order; observations are not trainable."""
    turns: tuple[Part, ...] = ()
    """The turns between the request and that one, in a chat."""
    freeform: bool = False
    """Whether the teacher was to write the task itself."""
    thought: bool = False
    """Whether the agent thought before one of its turns, where that can be told apart. Templates leave thoughts of
    earlier turns out, so that one text can't hold them all; and who learns the words alone learns not to think."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Where it comes from."""
        return (self.source,)


class Learnt(Protocol):
    """What a row was made of."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Attempts or tasks."""
        ...

    @property
    def family(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Dataset:
    """Chosen examples, as the trainer reads them."""

    examples: Sequence[Learnt]
    thought: int
    """How many others were left out because the agent thought before it wrote."""
    jsonl: bytes
    """One object a line, as `training/examples.py` reads it."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Why others were left out, as DatasetBuilt names it."""
    start: str | None = None
    """The adapter that training goes on from."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.jsonl).hexdigest()

    @property
    def per_family(self) -> dict[str, int]:
        return dict(sorted(Counter(example.family for example in self.examples).items()))


def dataset_file(store: Path, run: str, adapter: str) -> Path:
    """Where an adapter's dataset lies. Raises StoreError for names that lead out of the store."""
    return in_store(store, "datasets", run, f"{adapter}.jsonl")


def events_of_dataset(history: History, iteration: int, position: int | None = None) -> Iterator[Recorded]:
    """What an iteration's dataset is made of: practice up to its end, and what was retracted up to `position`.

    `position` is that of DatasetBuilt; without one, the dataset is about to be built.
    """
    ends = ((r.position, r.event) for r in history.read(types=["IterationCompleted"]))
    ended = (at for at, event in ends if isinstance(event, ev.IterationCompleted) and event.iteration == iteration)
    end = max(ended, default=0)
    return chain(history.read(until=end), history.read(after=end, until=position, types=["Retracted"]))


def student_examples(recorded: Iterable[Recorded], learn_from: LearnFrom = "observed") -> list[Example]:
    """Every attempt of practice that may be learnt from, in log order."""
    tasks: dict[int, Task] = {}
    retracted: list[str] = []
    last_call: dict[str, ev.ModelCalled] = {}
    tool_input: dict[str, str] = {}
    ended: dict[str, list[str]] = {}
    thought: set[str] = set()
    solutions: dict[str, Solution] = {}
    found = []
    for event in (r.event for r in recorded):
        match event:
            case ev.TaskProposed():
                tasks[event.task] = event.proposal
            case ev.ModelCalled(role="student", attempt=str() as attempt, task=int(), question=None):
                last_call[attempt] = event
                if _thought(event):
                    thought.add(attempt)
            case ev.ToolRequested(purpose="solution"):
                tool_input[event.attempt] = event.input
            case ev.ToolCalled() if event.attempt in tool_input and event.attempt not in solutions:
                ended.setdefault(event.attempt, []).append(event.status)
            case ev.SolutionSubmitted(task=int()):
                solutions[event.attempt] = event.solution
            case ev.Retracted():
                retracted.append(event.what)
            case ev.Verified(task=int() as number) if event.verification.correct is True:
                task = tasks[number]
                statuses = ended.get(event.attempt, [])
                if learnable(solutions[event.attempt], event, task, learn_from, statuses):
                    found.append(
                        Example(
                            source=event.attempt,
                            task=number,
                            domain=task.domain,
                            family=task.family,
                            request=task.description,
                            idiom=signature(tool_input[event.attempt]),
                            reward=0.0,
                            segments=segments(last_call[event.attempt], statuses),
                            turns=last_call[event.attempt].prompt.turns[1:],
                            thought=event.attempt in thought,
                        )
                    )
            case _:
                pass
    return _without(retracted, found)


def learnable(
    solution: Solution, verified: ev.Verified, task: Task, learn_from: LearnFrom, statuses: Sequence[str]
) -> bool:
    """Whether a correct attempt is worth learning from: with a call, and not right by luck. `statuses`: how its calls
    ended.

    `observed`: without a tool's error. One call whose output is the answer must be right on a second instance too; a
    freely written task has none. Hidden tests and milestones are many instances in themselves, and their answer need
    not be what a call printed.

    `correct`: of any number of calls, and with errors that were mended: the last call ended with `ok`, and none is
    known to be wrong on a second instance.
    """
    if learn_from == "correct":
        return solution.tool_calls > 0 and statuses[-1] == "ok" and verified.second_instance is not False
    if solution.tool_errors:
        return False
    if verified.verification.method in ("tests", "milestones"):
        return solution.tool_calls > 0
    lucky = verified.second_instance is not True and bool(task.parameters)
    return solution.tool_calls == 1 and solution.observed and not lucky


def segments(called: ev.ModelCalled, statuses: Iterable[str]) -> tuple[tuple[str, bool], ...]:
    """The student's last turn, from its last request: what it wrote is trainable, what tools gave is not, nor is a call
    that ended with another status than `ok`."""
    begun: list[tuple[str, bool]] = []
    ended = iter(statuses)
    for part in called.prompt.prefill:
        if part.author == "tool" and next(ended, "ok") != "ok":
            begun[-1] = begun[-1][0], False
        begun.append((part.text, part.trainable))
    return (*begun, (called.text.rstrip(), True))


def teacher_examples(recorded: Iterable[Recorded], rows: Rows = "asked") -> list[Example]:
    """Every proposal that became a completed task, in log order, with the teacher's reward for it."""
    proposals: dict[int, Task] = {}
    last_call: dict[int, ev.ModelCalled] = {}
    requests: dict[int, ev.TaskRequested] = {}
    retracted: list[str] = []
    found: dict[int, Example] = {}
    for event in (r.event for r in recorded):
        match event:
            case ev.TaskRequested():
                requests[event.task] = event
            case ev.TaskProposed():
                proposals[event.task] = event.proposal
            case ev.Retracted():
                retracted.append(event.what)
            case ev.ModelCalled(role="teacher", task=int() as number):
                last_call[number] = event
            case ev.RewardAssigned(role="teacher"):
                requested, called = requests[event.task], last_call[event.task]
                asked = called.prompt.turns[-1].text if rows == "asked" else request_text(offer(requested))
                found[event.task] = Example(  # of a task in which a run was forked the fork's own reward counts
                    source=str(event.task),
                    task=event.task,
                    domain=proposals[event.task].domain,
                    family=proposals[event.task].family,
                    request=asked,
                    idiom="",
                    reward=event.total,
                    segments=((called.text.strip(), True),),
                    freeform=rows == "asked" and requested.source == "freeform",
                    thought=_thought(called),
                )
            case _:
                pass
    return _without(retracted, found.values())


def _thought(called: ev.ModelCalled) -> bool:
    """Whether the model thought before it wrote. Some open and close a thought without one."""
    return bool(called.thinking and called.thinking.strip())


def _without(retracted: Sequence[str], found: Iterable[Example]) -> list[Example]:
    return [example for example in found if not any(covers(what, example.source) for what in retracted)]


def choose(examples: Sequence[Example], per_family: int, seed: int) -> list[Example]:
    """At most `per_family` examples of each family, one a task, no request twice.

    The best rewarded come first, then the commonest way of calling the tool: one idiom, seen often, is what a small
    model can learn. The rest of the order is drawn from the seed.
    """
    by_family: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_family[example.family].append(example)
    chosen = []
    for family in sorted(by_family):
        idioms = Counter(example.idiom for example in by_family[family])
        # An attempt that a crash made to be made again, `12/3.1`, stands where `12/3` would have.
        ranked = sorted(
            by_family[family],
            key=lambda e: (-e.reward, -idioms[e.idiom], derive_seed(seed, begun_as(e.source)), e.source),
        )
        seen: set[int | str] = set()
        kept = 0
        for example in ranked:
            if kept < per_family and example.task not in seen and example.request not in seen:
                seen |= {example.task, example.request}
                chosen.append(example)
                kept += 1
    return chosen


def build(
    chosen: Sequence[Example], prompt: Callable[[Example], Prompt], rows: Rows = "asked", thought: int = 0
) -> Dataset:
    """The rows: each request under the prompt that the trained agent will see, without worked examples.

    No row depends on a model: its chat template makes a text of the messages, and ends the turn, when it is trained.
    """
    row = _row_before if rows == "text" else row_of
    lines = [json.dumps(row(prompt(example), example), ensure_ascii=False) for example in chosen]
    return Dataset(chosen, thought, "".join(line + "\n" for line in lines).encode())


def row_of(prompt: Prompt, example: Example) -> dict[str, Any]:
    """One row, as `training/examples.py: read_rows` reads it."""
    turns = (*prompt.opening, *prompt.turns, *example.turns)
    messages = [
        {"role": turn.role, "content": turn.text, **({"trainable": True} if turn.trainable else {})} for turn in turns
    ]
    return {"messages": messages, "segments": example.segments}


def _row_before(prompt: Prompt, example: Example) -> dict[str, Any]:
    """As it was before version 2 of DatasetBuilt."""
    *begun, last = example.segments
    segments = [*((broken(text), learn) for text, learn in begun), last, (END_OF_TURN, True)]
    return {"prompt": as_before(prompt.messages), "segments": segments}
