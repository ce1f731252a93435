"""The attempts behind a dataset or at a task, with their sandbox calls."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from agent0es.domain import events as ev
from agent0es.domain.names import task_of
from agent0es.domain.retraction import covers
from agent0es.log import Recorded

TYPES = (
    "TaskProposed",
    "AttemptStarted",
    "ToolRequested",
    "ToolCalled",
    "SolutionSubmitted",
    "AttemptAbandoned",
    "Verified",
    "Retracted",
)
"""The events that `collect` reads."""


@dataclass(slots=True)
class Trajectories:
    """Tasks by number and attempts by name, each a record of plain values, in log order."""

    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    attempts: dict[str, dict[str, Any]] = field(default_factory=dict)


def collect(recorded: Iterable[Recorded], sources: Collection[str]) -> Trajectories:
    """The attempts that `sources` name, or that belong to a task that they name, and their tasks."""
    wanted = frozenset(sources)
    numbers = {str(task_of(source) or source) for source in wanted}
    found = Trajectories()
    retracted: list[str] = []
    for event in (one.event for one in recorded):
        match event:
            case ev.TaskProposed() if str(event.task) in numbers:
                found.tasks[str(event.task)] = _task(event)
            case ev.Retracted():
                retracted.append(event.what)
            case ev.AttemptStarted(attempt=name, task=int()) if name in wanted or str(task_of(name)) in wanted:
                found.attempts[name] = _attempt(event)
            case _ if (attempt := found.attempts.get(getattr(event, "attempt", None) or "")) is not None:
                _take(attempt, event)
            case _:
                pass
    for source, record in (*found.tasks.items(), *found.attempts.items()):
        record["retracted"] = any(covers(what, source) for what in retracted)
    return found


def _task(event: ev.TaskProposed) -> dict[str, Any]:
    proposal = event.proposal
    return {
        "task": event.task,
        "iteration": event.iteration,
        "domain": proposal.domain,
        "family": proposal.family,
        "difficulty": proposal.difficulty,
        "description": proposal.description,
        "reference": proposal.reference,
    }


def _attempt(event: ev.AttemptStarted) -> dict[str, Any]:
    return {
        "attempt": event.attempt,
        "task": event.task,
        "adapter": event.adapter,
        "answer": None,
        "correct": None,
        "second_instance": None,
        "retried_as": None,
        "calls": [],
    }


def _take(attempt: dict[str, Any], event: ev.Event) -> None:
    """Add one event to its attempt."""
    match event:
        case ev.ToolRequested():
            call = event.model_dump(include={"call", "tool", "input", "purpose"})
            attempt["calls"].append({**call, "status": "unknown", "output": None, "tier": None})
        case ev.ToolCalled():
            for call in attempt["calls"]:
                if call["call"] == event.call:
                    call.update(status=event.status, output=event.output, tier=event.tier)
        case ev.SolutionSubmitted():
            attempt["answer"] = event.solution.answer
        case ev.AttemptAbandoned():
            attempt["retried_as"] = event.retried_as
        case ev.Verified():
            attempt.update(correct=event.verification.correct, second_instance=event.second_instance)
        case _:
            pass
