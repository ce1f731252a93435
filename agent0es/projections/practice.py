"""Practice, as datasets are made of it: each task with what the teacher wrote, and the attempts at it that were judged.

One fold of the log. What of it is learnt, and in what shape, is said elsewhere: `projections/datasets.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from agent0es.domain import events as ev
from agent0es.domain.names import task_of
from agent0es.domain.retraction import covers
from agent0es.domain.task import Solution, Task
from agent0es.log import Recorded


@dataclass(slots=True)
class Attempt:
    """An attempt at a task."""

    name: str
    run: str
    """The run that made it, perhaps in the past of a fork."""
    last: ev.ModelCalled | None = None
    """Its last request, in which all that was said before is the prompt, with the reply."""
    call: str = ""
    """The input of its last tool call."""
    statuses: list[str] = field(default_factory=list)
    """How its tool calls ended, in order."""
    printed: str = ""
    """What its last tool call gave."""
    thought: bool = False
    """Whether the student thought before one of its turns, where that can be told apart."""
    solution: Solution | None = None
    verified: ev.Verified | None = None


@dataclass(slots=True)
class Practised:
    """A task that the teacher was asked for."""

    number: int
    run: str = ""
    requested: ev.TaskRequested | None = None
    asked: ev.ModelCalled | None = None
    """The teacher's last request for it, with the reply."""
    proposed: ev.TaskProposed | None = None
    reward: float | None = None
    """The teacher's; None before the task was completed."""
    judged: list[Attempt] = field(default_factory=list)
    """The attempts that were judged, in that order."""

    @property
    def task(self) -> Task:
        """The task. There is one wherever there was an attempt or a reward."""
        assert self.proposed is not None
        return self.proposed.proposal

    @property
    def solved(self) -> float:
        """p̂: the share of the judged attempts that were right; undecided ones were not. 0 without any."""
        right = sum(1 for attempt in self.judged if is_right(attempt))
        return right / len(self.judged) if self.judged else 0.0

    @property
    def doubtful(self) -> bool:
        """Whether all attempts at a task that the teacher wrote itself agree on another answer than the teacher's.

        Then the label may be what is wrong: of 11 such tasks read by hand the attempts were right at 4 (docs/log.md).
        """
        if self.requested is None or self.requested.source != "freeform" or len(self.judged) < 2:
            return False
        verdicts = [attempt.verified for attempt in self.judged if attempt.verified is not None]
        answers = {verdict.majority_key for verdict in verdicts}
        return len(answers) == 1 and None not in answers and all(v.verification.correct is False for v in verdicts)


@dataclass(slots=True)
class Practice:
    """All tasks by number, and what was retracted: a task's number, or an attempt's name."""

    tasks: dict[int, Practised] = field(default_factory=dict)
    retracted: list[str] = field(default_factory=list)

    def is_retracted(self, source: str) -> bool:
        """Whether an attempt, or a task, was retracted, itself or with its task."""
        return any(covers(what, source) for what in self.retracted)

    @property
    def doubtful(self) -> frozenset[int]:
        """The tasks whose label is doubtful, without those that are retracted anyway."""
        return frozenset(n for n, task in self.tasks.items() if task.doubtful and not self.is_retracted(str(n)))


def is_right(attempt: Attempt) -> bool:
    """Whether the verifier found it right."""
    return attempt.verified is not None and attempt.verified.verification.correct is True


def is_wrong(attempt: Attempt) -> bool:
    """Whether the verifier found it wrong; what is undecided is neither."""
    return attempt.verified is not None and attempt.verified.verification.correct is False


def thought(called: ev.ModelCalled) -> bool:
    """Whether the model thought before it wrote. Some open and close a thought without one."""
    return bool(called.thinking and called.thinking.strip())


def practice(recorded: Iterable[Recorded]) -> Practice:
    """The fold. Attempts at held-out problems are no practice; of one that was cut off, nothing was judged."""
    found = Practice()
    attempts: dict[str, Attempt] = {}
    for one in recorded:
        match one.event:
            case ev.TaskRequested() as requested:
                _task(found, requested.task, one.run).requested = requested
            case ev.TaskProposed() as proposed:
                _task(found, proposed.task, one.run).proposed = proposed
            case ev.ModelCalled(role="teacher", task=int() as number) as called:
                _task(found, number, one.run).asked = called
            case ev.RewardAssigned(role="teacher") as rewarded:
                # Of a task in which a run was forked the fork's own reward counts.
                _task(found, rewarded.task, one.run).reward = rewarded.total
            case ev.Retracted() as retracted:
                found.retracted.append(retracted.what)
            case ev.ModelCalled(role="student", attempt=str() as name, task=int(), question=None) as called:
                attempt = _attempt(attempts, name, one.run)
                attempt.last, attempt.thought = called, attempt.thought or thought(called)
            case ev.ToolRequested(purpose="solution") as asked if task_of(asked.attempt) is not None:
                _attempt(attempts, asked.attempt, one.run).call = asked.input
            case ev.ToolCalled() as gave if (known := attempts.get(gave.attempt)) and known.solution is None:
                known.statuses.append(gave.status)
                known.printed = gave.output
            case ev.SolutionSubmitted(task=int()) as submitted:
                _attempt(attempts, submitted.attempt, one.run).solution = submitted.solution
            case ev.Verified(task=int() as number) as verified:
                judged = _attempt(attempts, verified.attempt, one.run)
                judged.verified = verified
                _task(found, number, one.run).judged.append(judged)
            case _:
                pass
    return found


def _task(found: Practice, number: int, run: str) -> Practised:
    """The task of this number; its run is the latest that worked on it."""
    task = found.tasks.setdefault(number, Practised(number))
    task.run = run
    return task


def _attempt(attempts: dict[str, Attempt], name: str, run: str) -> Attempt:
    """The attempt of this name, in the run that makes it."""
    return attempts.setdefault(name, Attempt(name, run))
