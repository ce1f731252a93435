"""Whether what a teacher wrote becomes a task.

Accepted when the parameters are in range at the wanted difficulty, the task was not asked before, and it is novel
enough.
"""

import json
import random
from collections.abc import Collection, Sequence

from agent0es.agents import teacher
from agent0es.configuration import Configuration, EvaluationSettings
from agent0es.decisions.freeform import Refusal
from agent0es.domain import events as ev
from agent0es.domain.curriculum import demonstrations_for
from agent0es.domain.run import RunState
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Task
from agent0es.evaluation.contamination import find_leaks, tokens
from agent0es.evaluation.suite import HeldOut
from agent0es.taskdomains.base import TaskDomain

DUPLICATE = Refusal("duplicate", "the same family and parameters were asked before, or are held out")


def read_task(domain: TaskDomain, requested: ev.TaskRequested, text: str, attempt: int) -> Task | Refusal:
    """The task that the teacher described, or why there is none."""
    proposal = teacher.read_proposal(teacher.object_in(text))
    if isinstance(proposal, str):
        return Refusal("unreadable", proposal)
    if proposal.family not in requested.families:
        return Refusal("unknown_family", f"{proposal.family!r} was not offered")
    family, difficulty = domain.family(proposal.family), requested.families[proposal.family]
    wrong = family.check(proposal.parameters, difficulty)
    if wrong is not None:
        return Refusal("invalid_parameters", wrong)
    wording = random.Random(derive_seed(requested.seed, "wording", attempt)).randrange(len(family.wordings))
    return family.task(proposal.parameters, wording, difficulty)


def novelty_of(nearest: tuple[float, int] | None) -> float:
    """1 − the similarity to the nearest earlier task, in [0, 1]; 1 when there is none."""
    return 1.0 if nearest is None else round(min(1.0, max(0.0, 1.0 - nearest[0])), 4)


def not_novel(novelty: float, requested: ev.TaskRequested) -> Refusal:
    """Why a task can't be used that is too near an earlier one."""
    return Refusal("not_novel", f"novelty {novelty} under {requested.novelty_bar}", novelty)


def accepted(
    task: Task,
    requested: ev.TaskRequested,
    state: RunState,
    configuration: Configuration,
    novelty: float,
    nearest: int | None,
) -> ev.TaskProposed:
    """The event of a usable proposal."""
    shown = configuration.curriculum.demonstrations
    return ev.TaskProposed(
        task=requested.task,
        iteration=requested.iteration,
        proposal=task,
        novelty=novelty,
        nearest=nearest,
        attempts=configuration.execution.attempts,
        seed=requested.seed,
        demonstrations=demonstrations_for(state.families.get(task.family), state.serving["student"], shown),
    )


def rejected(requested: ev.TaskRequested, refusal: Refusal, text: str, tries_left: int) -> ev.ProposalRejected:
    """The event of a proposal that can't be used."""
    return ev.ProposalRejected.model_validate(
        {
            "task": requested.task,
            "iteration": requested.iteration,
            "reason": refusal.reason,
            "detail": refusal.detail,
            "text": text,
            "tries_left": tries_left,
            "novelty": refusal.novelty,
            "novelty_bar": None if refusal.novelty is None else requested.novelty_bar,
        }
    )


def identity(task: Task) -> str:
    """What makes two tasks the same problem, whatever the wording."""
    return json.dumps([task.family, task.parameters or task.description], sort_keys=True)


def wording(task: Task) -> str:
    """The words of a task without case and marks: two tasks with the same are one, whatever their parameters."""
    return " ".join(tokens(task.description))


def held_out(problems: Sequence[HeldOut], settings: EvaluationSettings) -> set[str]:
    """What may not be proposed, because the evaluation asks it, in whatever words."""
    tasks = [problem.task for problem in problems]
    words = {wording(task) for task in tasks} if settings.refuse_leaks else set()
    return {identity(task) for task in tasks} | words


def is_known(task: Task, known: Collection[str]) -> bool:
    """Whether a task is one of those that may not be proposed."""
    return identity(task) in known or wording(task) in known


def is_retold(task: Task, problems: Sequence[HeldOut], settings: EvaluationSettings) -> bool:
    """Whether a freely written task tells a held-out problem in other words, for which the gate would refuse whoever
    learnt it. Families don't: their tasks have other parameters."""
    if not settings.refuse_leaks or task.parameters:
        return False
    asked = {str(problem.number): problem.task.description for problem in problems}
    return bool(find_leaks({"task": task.description}, asked))
