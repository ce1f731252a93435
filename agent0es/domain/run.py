"""The state of a run: a fold of its events.

`evolve(state, event)` is the only way in which state changes. A task in flight is kept in full and folded into its
family's statistics when it completes, so the state stays small however long the run is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agent0es.domain import events as ev
from agent0es.domain.adapter import Adapters, challengers, follow, in_use, rival
from agent0es.domain.curriculum import DomainStatistics, FamilyStatistics, ability_at, after_task
from agent0es.domain.names import read_call, task_of
from agent0es.domain.practice import Practice
from agent0es.domain.task import Solution, Task, Verification
from agent0es.domain.workdir import changed


@dataclass(frozen=True, slots=True)
class AttemptState:
    """An attempt at a task in flight."""

    calls: tuple[tuple[str, str], ...] = ()
    """The student's own calls: (tool, input)."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What lies in the working directory now: relative path to text."""
    solution: Solution | None = None
    verification: Verification | None = None
    majority_key: str | None = None


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task that is not completed yet."""

    request: ev.TaskRequested
    proposal: ev.TaskProposed | None = None
    attempts: Mapping[str, AttemptState] = field(default_factory=dict)
    """By name of the attempt; abandoned ones are taken out."""

    @property
    def task(self) -> Task:
        if self.proposal is None:
            raise ValueError(f"task {self.request.task} has no proposal yet")
        return self.proposal.proposal

    @property
    def verified(self) -> bool:
        """True when every attempt that was asked for has been judged."""
        judged = sum(1 for attempt in self.attempts.values() if attempt.verification is not None)
        return self.proposal is not None and judged == self.proposal.attempts


@dataclass(frozen=True, slots=True)
class RunState:
    """Everything that a handler may know of the past. A value: never changed, only replaced."""

    seed: int = 0
    configuration: Mapping[str, Any] = field(default_factory=dict)
    status: str = "empty"
    """empty, running or completed."""
    iteration: int = 0
    phase: str = ""
    """practice, training, evaluation or done."""
    earlier: int = 0
    """Tasks requested in earlier iterations: this one's are numbered from there."""
    requested: int = 0
    """Tasks requested in this iteration."""
    proposed: int = 0
    """Tasks proposed over the whole run: what the novelty index holds."""
    in_flight: Mapping[int, TaskState] = field(default_factory=dict)
    families: Mapping[str, FamilyStatistics] = field(default_factory=dict)
    domains: Mapping[str, DomainStatistics] = field(default_factory=dict)
    completed: int = 0
    """Tasks completed in this iteration."""
    given_up: int = 0
    """Tasks of this iteration without a usable proposal, or whose handler failed."""
    attempts: int = 0
    """Attempts judged at completed tasks of this iteration."""
    solved: int = 0
    """Of those, correct ones."""
    failures: int = 0
    """Handlers that failed for good, over the whole run."""
    adapters: Adapters = field(default_factory=dict)
    practice: Practice = field(default_factory=Practice)
    """What the guard counts of this iteration's practice."""
    measured: tuple[ev.PracticeMeasured, ...] = ()
    """What it was like after each iteration."""
    alarms: tuple[ev.AlarmRaised, ...] = ()

    @property
    def serving(self) -> dict[str, str | None]:
        """Role to the adapter in use; None is the base model."""
        return {role: in_use(self.adapters, role) for role in ("teacher", "student")}

    def rival(self, role: ev.Role) -> str | None:
        """The adapter that a new one must beat; None is the base model."""
        return rival(self.adapters, role)

    def challengers(self, role: ev.Role) -> int:
        """How many adapters have been evaluated against that one, the latest included."""
        return challengers(self.adapters, role)


def evolve(state: RunState, event: ev.Event) -> RunState:
    """The state after one more event. Total: an event that changes nothing returns the state as it is."""
    practice = _practised(state, event)
    if practice is not state.practice:
        state = replace(state, practice=practice)
    match event:
        case ev.RunStarted() | ev.RunForked():
            return replace(state, seed=event.seed, configuration=event.configuration, status="running")
        case ev.IterationStarted():
            return replace(
                state,
                iteration=event.iteration,
                phase="practice",
                earlier=state.earlier + state.requested,
                requested=0,
                completed=0,
                given_up=0,
                attempts=0,
                solved=0,
                practice=Practice(),
            )
        case ev.TaskRequested():
            requested = max(state.requested, event.task - state.earlier)
            return replace(state, requested=requested, in_flight={**state.in_flight, event.task: TaskState(event)})
        case ev.TaskProposed():
            return replace(_with_task(state, event.task, proposal=event), proposed=state.proposed + 1)
        case ev.ProposalRejected(tries_left=0):
            return replace(_without_task(state, event.task), given_up=state.given_up + 1)
        case ev.HandlerFailed():
            state = replace(state, failures=state.failures + 1)
            if event.task is None or event.task not in state.in_flight:
                return state
            return replace(_without_task(state, event.task), given_up=state.given_up + 1)
        case ev.AttemptStarted(task=int() as task):
            known = state.in_flight.get(task)
            start = known.proposal.proposal.files if known is not None and known.proposal is not None else {}
            return _with_attempt(state, task, event.attempt, files=start)
        case ev.AttemptAbandoned(task=int() as task) if task in state.in_flight:
            left = {name: a for name, a in state.in_flight[task].attempts.items() if name != event.attempt}
            return _with_task(state, task, attempts=left)
        case ev.ToolRequested(purpose="solution"):
            number = task_of(event.attempt)
            if number is None or number not in state.in_flight:
                return state
            calls = state.in_flight[number].attempts.get(event.attempt, AttemptState()).calls
            return _with_attempt(state, number, event.attempt, calls=(*calls, (event.tool, event.input)))
        case ev.ToolCalled() if event.written or event.deleted:
            call, number = read_call(event.call), task_of(event.attempt)
            if call is None or call.purpose != "solution" or number is None or number not in state.in_flight:
                return state
            known_files = state.in_flight[number].attempts.get(event.attempt, AttemptState()).files
            left_files = changed(known_files, event.written, event.deleted)
            return _with_attempt(state, number, event.attempt, files=left_files)
        case ev.SolutionSubmitted(task=int() as task):
            return _with_attempt(state, task, event.attempt, solution=event.solution)
        case ev.Verified(task=int() as task):
            return _with_attempt(
                state, task, event.attempt, verification=event.verification, majority_key=event.majority_key
            )
        case ev.TaskCompleted():
            known = state.in_flight.get(event.task)
            name = "" if known is None else known.request.domain
            before = state.families.get(event.family) or FamilyStatistics(name, ability=_start_ability(state))
            family, domain = after_task(before, state.domains.get(name, DomainStatistics()), event)
            return replace(
                _without_task(state, event.task),
                families={**state.families, event.family: family},
                domains={**state.domains, name: domain},
                completed=state.completed + 1,
                attempts=state.attempts + event.attempts,
                solved=state.solved + event.solved,
            )
        case ev.IterationCompleted():
            return replace(state, phase="training")
        case ev.AdapterTrained() if state.status != "completed":  # in a completed one an adapter is rebuilt
            return replace(state, phase="evaluation", adapters=follow(state.adapters, event))
        case ev.PracticeMeasured():
            return replace(state, measured=(*state.measured, event))
        case ev.AlarmRaised():
            return replace(state, alarms=(*state.alarms, event))
        case ev.AdapterPromoted(role="student") | ev.AdapterRolledBack(role="student"):
            families = {name: known.under_new_adapter() for name, known in state.families.items()}
            return replace(state, adapters=follow(state.adapters, event), families=families)
        case ev.RunCompleted():
            return replace(state, status="completed", phase="done")
        case _:
            adapters = follow(state.adapters, event)
            return state if adapters is state.adapters else replace(state, adapters=adapters)


def _practised(state: RunState, event: ev.Event) -> Practice:
    """The practice with an event."""
    match event:
        case ev.TaskProposed():
            return state.practice.proposed(event.proposal)
        case ev.ProposalRejected():
            return state.practice.refused(event.reason)
        case ev.TaskCompleted() if event.task in state.in_flight:
            task = state.in_flight[event.task]
            answers = [
                (a.majority_key, a.verification, a.solution.confidence if a.solution else None)
                for _, a in sorted(task.attempts.items())
            ]
            return state.practice.completed(task.request.source == "freeform", answers)
        case _:
            return state.practice


def _start_ability(state: RunState) -> float:
    """Where a family's ability is thought to be before its first task."""
    return ability_at(state.configuration.get("curriculum", {}).get("start_difficulty", 0.0))


def _with_task(state: RunState, task: int, **changes: Any) -> RunState:
    if task not in state.in_flight:
        return state
    return replace(state, in_flight={**state.in_flight, task: replace(state.in_flight[task], **changes)})


def _without_task(state: RunState, task: int) -> RunState:
    return replace(state, in_flight={n: t for n, t in state.in_flight.items() if n != task})


def _with_attempt(state: RunState, task: int, attempt: str, **changes: Any) -> RunState:
    if task not in state.in_flight:
        return state
    attempts = state.in_flight[task].attempts
    return _with_task(
        state, task, attempts={**attempts, attempt: replace(attempts.get(attempt, AttemptState()), **changes)}
    )
