"""The state of a run at a position, as a person asks for it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from agent0es.domain.curriculum import FamilyStatistics
from agent0es.domain.run import RunState, TaskState
from agent0es.log import EventLog, History


def view(log: EventLog, run: str, state: RunState, position: int) -> dict[str, Any]:
    """Everything that `show --at` tells; values are those of JSON. Times are Unix seconds."""
    event = next(History.of(log, run, position).read(after=position - 1), None)  # None where another run wrote
    return {
        "run": run,
        "position": position,
        "time": None if event is None else event.meta.time,
        "event": None if event is None else event.event.type,
        "status": state.status,
        "iteration": state.iteration,
        "phase": state.phase,
        "seed": state.seed,
        "practice": {
            "requested": state.requested,
            "completed": state.completed,
            "given_up": state.given_up,
            "attempts": state.attempts,
            "solved": state.solved,
        },
        "curriculum": curriculum(state),
        "serving": dict(state.serving),
        "adapters": [
            {
                "adapter": name,
                "role": adapter.role,
                "iteration": adapter.iteration,
                "outcome": adapter.outcome,
                "serving": state.serving.get(adapter.role) == name,
                "path": adapter.trained.path if adapter.trained else None,
                "scores": [score.model_dump(mode="json", exclude={"by_family"}) for score in adapter.scores],
            }
            for name, adapter in state.adapters.items()
        ],
        "novelty_index_size": state.proposed,
        "in_flight": [_task(task) for _, task in sorted(state.in_flight.items())],
        "failures": state.failures,
        "configuration": dict(state.configuration),
    }


def curriculum(state: RunState) -> dict[str, Any]:
    """Each domain with its families' statistics and their sum. The families are those that were practised so far."""
    return {
        domain: _domain({name: known for name, known in sorted(state.families.items()) if known.domain == domain})
        for domain in sorted({known.domain for known in state.families.values()})
    }


def _domain(families: Mapping[str, FamilyStatistics]) -> dict[str, Any]:
    tasks, attempts, solved = (sum(getattr(f, n) for f in families.values()) for n in ("tasks", "attempts", "solved"))
    return {
        "tasks": tasks,
        "attempts": attempts,
        "solved": solved,
        "solve_rate": solved / attempts if attempts else None,
        "families": {name: _statistics(known) for name, known in families.items()},
    }


def _statistics(known: FamilyStatistics) -> Mapping[str, Any]:
    counts = {name: value for name, value in asdict(known).items() if name != "domain"}
    return {**counts, "solve_rate": known.solve_rate, "recent_solve_rate": known.recent_solve_rate}


def _task(task: TaskState) -> dict[str, Any]:
    judged = sum(1 for attempt in task.attempts.values() if attempt.verification is not None)
    submitted = sum(1 for attempt in task.attempts.values() if attempt.solution is not None)
    return {
        "task": task.request.task,
        "families": dict(task.request.families),
        "family": task.task.family if task.proposal else None,
        "description": task.task.description if task.proposal else None,
        "attempts": task.proposal.attempts if task.proposal else None,
        "started": len(task.attempts),
        "submitted": submitted,
        "judged": judged,
    }
