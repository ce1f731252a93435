"""Whether a trained adapter is promoted: only when it beats the one that it must beat, by a test, and did not learn
what it was asked."""

from collections.abc import Iterable, Sequence

from agent0es.configuration import EvaluationSettings
from agent0es.decisions.propose import identity
from agent0es.domain import events as ev
from agent0es.domain.adapter import learnt_from
from agent0es.domain.names import task_of
from agent0es.domain.promotion import Rule, gate
from agent0es.domain.run import RunState
from agent0es.domain.task import Task
from agent0es.evaluation.contamination import find_leaks
from agent0es.evaluation.suite import HeldOut
from agent0es.log import Recorded


def decide(
    evaluated: ev.AdapterEvaluated, state: RunState, settings: EvaluationSettings, leaks: Sequence[ev.Leak] = ()
) -> ev.AdapterPromoted | ev.AdapterRejected:
    """The gate's decision. A tainted adapter in use is not the one to beat: the one promoted before it is."""
    role, rule = evaluated.role, Rule(settings.margin, settings.significance)
    return gate(evaluated, state.rival(role), rule, state.challengers(role), leaks if settings.refuse_leaks else ())


def leaks_of(
    evaluated: ev.AdapterEvaluated, state: RunState, proposed: Iterable[Recorded], problems: Sequence[HeldOut]
) -> list[ev.Leak]:
    """Which held-out problems an adapter learnt, or one that it goes on from. `proposed` has at least the proposals
    that they learnt from.

    Of two tasks of one family the parameters say whether they are the same problem; of others, their texts. A teacher
    is not asked these problems, so there is nothing that it could have learnt.
    """
    if evaluated.role == "teacher":
        return []
    by_task = {source: task_of(source) for source in learnt_from(state.adapters, evaluated.adapter)}
    wanted = set(by_task.values())
    tasks: dict[int, Task] = {}
    for recorded in proposed:
        if isinstance(recorded.event, ev.TaskProposed) and recorded.event.task in wanted:
            tasks[recorded.event.task] = recorded.event.proposal
    learnt = {source: tasks[number] for source, number in by_task.items() if number in tasks}
    asked = {str(problem.number): problem.task for problem in problems}
    return [*_same_parameters(learnt, asked), *_same_words(learnt, asked)]


def _same_parameters(learnt: dict[str, Task], asked: dict[str, Task]) -> list[ev.Leak]:
    number_of = {identity(task): number for number, task in asked.items() if task.parameters}
    found = [(source, number_of.get(identity(task))) for source, task in learnt.items()]
    return [ev.Leak(source=source, problem=number, overlap=1.0, same=True) for source, number in found if number]


def _same_words(learnt: dict[str, Task], asked: dict[str, Task]) -> list[ev.Leak]:
    found = find_leaks(
        {source: task.description for source, task in learnt.items()},
        {number: task.description for number, task in asked.items()},
    )

    def told_by_parameters(leak: ev.Leak) -> bool:
        one, two = learnt[leak.source], asked[leak.problem]
        same_family = bool(one.parameters) and (one.domain, one.family) == (two.domain, two.family)
        return same_family and (not leak.same or identity(one) == identity(two))

    return [leak for leak in found if not told_by_parameters(leak)]
