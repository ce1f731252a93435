"""A run's figures, counted from its events as they arrive: the numbers behind progress and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent0es.decisions import evaluate_teacher
from agent0es.decisions.evaluate import splits_of
from agent0es.domain import events as ev
from agent0es.domain.names import Examination, Examined, read_attempt
from agent0es.domain.values import Role
from agent0es.evaluation.suite import HeldOut, count_by_split
from agent0es.log import Recorded


@dataclass(frozen=True, slots=True)
class Problems:
    """What a run's evaluations ask."""

    by_split: Mapping[str, int] = field(default_factory=dict)
    """Split to the number of its problems."""
    domain_of: Mapping[str, str] = field(default_factory=dict)
    """Family to its domain."""

    @classmethod
    def of(cls, problems: Sequence[HeldOut]) -> "Problems":
        return cls(count_by_split(problems), {problem.task.family: problem.task.domain for problem in problems})

    def asked(self, kind: Examination, arm: str) -> int:
        """How many problems, or requests to a teacher, an arm is asked."""
        if kind == evaluate_teacher.KIND:
            return evaluate_teacher.PROBES
        return sum(self.by_split[split] for split in splits_of(arm))


@dataclass(slots=True)
class DomainTally:
    """Counts of one domain's practice in an iteration."""

    tasks: int = 0
    attempts: int = 0
    solved: int = 0
    difficulty: float = 0.0
    """Sum over tasks."""

    @property
    def row(self) -> dict[str, float | int]:
        """As one line of a table; means where sums are kept."""
        return {
            "tasks": self.tasks,
            "solve_rate": round(self.solved / max(1, self.attempts), 3),
            "difficulty": round(self.difficulty / max(1, self.tasks), 3),
        }


@dataclass(slots=True)
class IterationTally:
    """Counts of one iteration's practice."""

    iteration: int
    started: float
    """Unix time, seconds."""
    ended: float | None = None
    tasks: int = 0
    given_up: int = 0
    rejected: int = 0
    attempts: int = 0
    solved: int = 0
    with_tool: int = 0
    """Attempts that called a tool at least once."""
    difficulty: float = 0.0
    """Sum over tasks."""
    student_reward: float = 0.0
    """Sum over attempts."""
    teacher_reward: float = 0.0
    """Sum over tasks."""
    domains: dict[str, DomainTally] = field(default_factory=dict)
    examples: dict[Role, int] = field(default_factory=dict)
    """Whose adapter to rows that it was to learn."""
    evaluated: dict[Role, ev.AdapterEvaluated] = field(default_factory=dict)
    outcomes: dict[Role, str] = field(default_factory=dict)
    """Whose adapter to what became of it."""

    def row(self, role: Role) -> dict[str, float | int | str]:
        """The iteration as one line of a table, with what became of this role's adapter; means where sums are kept."""
        tasks, attempts = max(1, self.tasks), max(1, self.attempts)
        return {
            "iteration": self.iteration,
            "tasks": self.tasks,
            "solve_rate": round(self.solved / attempts, 3),
            "tool_use": round(self.with_tool / attempts, 3),
            "difficulty": round(self.difficulty / tasks, 3),
            "student_reward": round(self.student_reward / attempts, 3),
            "teacher_reward": round(self.teacher_reward / tasks, 3),
            "rejected_proposals": self.rejected,
            "examples": self.examples.get(role, 0),
            "outcome": self.outcomes.get(role, ""),
        }


@dataclass(slots=True)
class Tally:
    """All iterations so far."""

    iterations: list[IterationTally] = field(default_factory=list)
    eval_answers: dict[tuple[Examination, str], int] = field(default_factory=dict)
    """Arm to what it answered since an adapter was last trained: a fork may ask the baselines anew."""
    domain_of: dict[int, str] = field(default_factory=dict)
    """Task in flight to its domain."""

    @property
    def current(self) -> IterationTally | None:
        return self.iterations[-1] if self.iterations else None

    def take(self, recorded: Recorded) -> None:
        """Count one event."""
        event = recorded.event
        if isinstance(event, ev.IterationStarted):
            self.iterations.append(IterationTally(event.iteration, recorded.meta.time))
        current = self.current
        if current is None:
            return
        match event:
            case ev.TaskRequested():
                self.domain_of[event.task] = event.domain
            case ev.ProposalRejected():
                current.rejected += 1
                current.given_up += event.tries_left == 0
            case ev.SolutionSubmitted(task=int()):
                current.with_tool += event.solution.tool_calls > 0
            case ev.RewardAssigned(role="student"):
                current.student_reward += event.total
            case ev.RewardAssigned(role="teacher"):
                current.teacher_reward += event.total
            case ev.TaskCompleted():
                current.tasks += 1
                current.attempts += event.attempts
                current.solved += event.solved
                current.difficulty += event.difficulty
                domain = current.domains.setdefault(self.domain_of.pop(event.task, ""), DomainTally())
                domain.tasks += 1
                domain.attempts += event.attempts
                domain.solved += event.solved
                domain.difficulty += event.difficulty
            case ev.IterationCompleted():
                current.ended = recorded.meta.time
            case ev.DatasetBuilt():
                current.examples[event.role] = event.examples
            case ev.AdapterTrained():
                self.eval_answers.clear()
            case ev.Verified(task=None, attempt=attempt):
                if isinstance(known := read_attempt(attempt), Examined):
                    which = known.kind, known.arm
                    self.eval_answers[which] = self.eval_answers.get(which, 0) + 1
            case ev.AdapterEvaluated():
                current.evaluated[event.role] = event
            case ev.AdapterPromoted():
                current.outcomes[event.role] = "promoted"
            case ev.AdapterRejected():
                current.outcomes[event.role] = "not promoted"
            case ev.TrainingFailed():
                current.outcomes[event.role] = f"not trained: {event.reason}"
            case _:
                pass
