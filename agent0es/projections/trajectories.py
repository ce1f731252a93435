"""Trajectories: one record per rewarded attempt of practice, in the shape in which others train on them.

The fields are those of the seed project's Trajectory (task, solution, verification, rewards, timestamp), and with
them the run, the attempt and the adapter, so that a record can be followed back into the log.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agent0es.domain import events as ev
from agent0es.domain.retraction import covers
from agent0es.log import History, Recorded

TYPES = (
    "TaskProposed",
    "AttemptStarted",
    "ModelCalled",
    "ToolRequested",
    "ToolCalled",
    "SolutionSubmitted",
    "Verified",
    "RewardAssigned",
    "TaskCompleted",
    "AttemptAbandoned",
)


@dataclass(slots=True)
class _Attempt:
    """What is known of an attempt in flight."""

    started: ev.AttemptStarted
    time: float
    reasoning: list[str] = field(default_factory=list)
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    solution: ev.SolutionSubmitted | None = None
    seconds: float = 0.0
    verified: ev.Verified | None = None


def trajectories(history: History, *, include_retracted: bool = False) -> Iterator[dict[str, Any]]:
    """Every attempt of practice that was rewarded, in the order of the rewards; of a fork those of its past first.

    Left out are attempts at held-out problems (training on them would spoil the evaluation), abandoned ones, those
    whose task is not completed, and those that are retracted by now. `include_retracted` gives these too, marked.
    Memory is that of the tasks in flight.
    """
    what = [r.event.what for r in history.read(types=["Retracted"]) if isinstance(r.event, ev.Retracted)]
    tasks: dict[int, Recorded] = {}
    attempts: dict[str, _Attempt] = {}
    for recorded in history.read(types=TYPES):
        match recorded.event:
            case ev.TaskProposed(task=number):
                tasks[number] = recorded
            case ev.AttemptStarted(task=int()) as started:
                attempts[started.attempt] = _Attempt(started, recorded.meta.time)
            case ev.RewardAssigned(role="student", attempt=str() as name) as rewarded if name in attempts:
                done, retracted = attempts.pop(name), any(covers(each, name) for each in what)
                if include_retracted or not retracted:
                    yield {**_trajectory(tasks[rewarded.task], done, rewarded, recorded), "retracted": retracted}
            case ev.TaskCompleted(task=number):
                tasks.pop(number, None)
            case ev.AttemptAbandoned(attempt=name):
                attempts.pop(name, None)
            case event if (attempt := attempts.get(getattr(event, "attempt", None) or "")) is not None:
                _take(attempt, event, recorded)
            case _:
                pass


def _take(attempt: _Attempt, event: ev.Event, recorded: Recorded) -> None:
    """Add one event to its attempt."""
    match event:
        case ev.ModelCalled(question=None):
            attempt.reasoning.append(event.text.strip())
        case ev.ToolRequested(purpose="solution"):
            attempt.calls[event.call] = {
                "tool": event.tool,
                "input": event.input,
                "output": "",
                "status": "unknown",
                "exit_code": None,
                "tier": None,
                "execution_time": None,
            }
        case ev.ToolCalled() if event.call in attempt.calls:
            attempt.calls[event.call].update(
                output=event.output,
                status=event.status,
                exit_code=event.exit_code,
                tier=event.tier,
                execution_time=recorded.meta.measured.get("wall_seconds"),
            )
            attempt.reasoning.append(f"Observation: {event.output.strip()}")
        case ev.SolutionSubmitted():
            attempt.solution, attempt.seconds = event, recorded.meta.time - attempt.time
        case ev.Verified():
            attempt.verified = event
        case _:
            pass


def _trajectory(task: Recorded, attempt: _Attempt, rewarded: ev.RewardAssigned, recorded: Recorded) -> dict[str, Any]:
    """The record. Its run is the one that made the attempt. Times are Unix seconds, durations seconds."""
    proposed, submitted, verified = task.event, attempt.solution, attempt.verified
    assert isinstance(proposed, ev.TaskProposed) and submitted is not None and verified is not None
    problem, solution = proposed.proposal, submitted.solution
    task_id = f"{recorded.run}/{proposed.task}"
    return {
        "run": recorded.run,
        "attempt": attempt.started.attempt,
        "adapter": attempt.started.adapter,
        "task": {
            "id": task_id,
            "domain": problem.domain,
            "description": problem.description,
            "difficulty": problem.difficulty,
            "created_at": task.meta.time,
            "metadata": {
                "iteration": proposed.iteration,
                "family": problem.family,
                "parameters": problem.parameters,
                "reference": problem.reference,
                "reference_action": problem.reference_action,
                "novelty": proposed.novelty,
                "demonstrations": proposed.demonstrations,
            },
        },
        "solution": {
            "task_id": task_id,
            "answer": solution.answer,
            "reasoning": "\n".join(attempt.reasoning),
            "tool_calls": list(attempt.calls.values()),
            "confidence": solution.confidence,
            "execution_time": round(attempt.seconds, 4),
        },
        "verification": {
            **verified.verification.model_dump(mode="json"),
            "second_instance": verified.second_instance,
        },
        "rewards": {**rewarded.components, "total": rewarded.total},
        "timestamp": recorded.meta.time,
    }
