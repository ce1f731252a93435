"""The rewards of a task: for each attempt and for the teacher, when the last attempt is judged."""

from collections.abc import Mapping

from agent0es.domain import events as ev
from agent0es.domain.rewards import RewardComponent, RewardInputs, total, value_of
from agent0es.domain.run import AttemptState, TaskState
from agent0es.domain.uncertainty import majority_share


def decide(task: TaskState, components: Mapping[str, RewardComponent], weights: Mapping[str, float]) -> list[ev.Event]:
    """Rewards of a task whose attempts are all judged."""
    proposed = task.proposal
    assert proposed is not None
    attempts = dict(sorted(task.attempts.items()))
    share = majority_share([attempt.majority_key for attempt in attempts.values()])
    scores = {name: _score(attempt) for name, attempt in attempts.items()}
    calls = {name: _successful_calls(attempt) for name, attempt in attempts.items()}

    def assign(role: ev.Role, attempt: str | None, tool_calls: float, score: float) -> ev.RewardAssigned:
        inputs = RewardInputs(majority_share=share, tool_calls=tool_calls, novelty=proposed.novelty, score=score)
        values = {name: value_of(name, component, inputs) for name, component in components.items()}
        return ev.RewardAssigned(
            role=role, task=proposed.task, attempt=attempt, components=values, total=total(values, weights)
        )

    mean_calls, mean_score = sum(calls.values()) / len(attempts), sum(scores.values()) / len(attempts)
    return [
        *(assign("student", name, calls[name], scores[name]) for name in attempts),
        assign("teacher", None, mean_calls, mean_score),
        ev.TaskCompleted(
            task=proposed.task,
            iteration=proposed.iteration,
            family=proposed.proposal.family,
            difficulty=proposed.proposal.difficulty,
            attempts=len(attempts),
            solved=sum(1 for a in attempts.values() if a.verification is not None and a.verification.correct is True),
        ),
    ]


def _score(attempt: AttemptState) -> float:
    """The verifier's score; an undecided answer is never rewarded."""
    judged = attempt.verification
    return judged.score if judged is not None and judged.correct is not None else 0.0


def _successful_calls(attempt: AttemptState) -> int:
    return attempt.solution.tool_calls - attempt.solution.tool_errors if attempt.solution else 0
