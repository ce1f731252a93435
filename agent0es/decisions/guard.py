"""The guard: whether a run gets worse, or learns nothing any more, and what follows. After each iteration's gate.

A share has fallen when it is below the best of the earlier iterations by more than `guard.fall`, and by more than
ERRORS standard errors of the difference, so that few tasks raise no alarm. An adapter is held responsible, and rolled
back, only where it was in use throughout the iteration: one that was just promoted has not practised yet.

A student whose answers have no entropy left may have collapsed, or may be sure and right. Held-out problems tell the
two apart: where no adapter solves clearly fewer of them, the alarm is told, and nothing follows from it.
"""

import math
from collections.abc import Collection, Iterable, Iterator
from functools import reduce

from agent0es.configuration import GuardSettings
from agent0es.domain import events as ev
from agent0es.domain.adapter import predecessor
from agent0es.domain.names import BASELINE
from agent0es.domain.promotion import mean_share
from agent0es.domain.run import RunState, evolve
from agent0es.domain.text import counted

ERRORS = 4.0
"""So that of runs of ten steady iterations, 100 cases each, one in a hundred has a false alarm at most; with three
errors it was one in twenty."""
LEAST = 20
"""With fewer cases nothing is said of a share."""
REPEATED = 0.5
"""More repeats among the proposals are a collapse, whatever was before."""
ENTROPY = 0.001
"""Nats a token. A student with less says the same in every attempt, and there is nothing to choose between."""
ALIKE = 1.25
"""Diversities are compared of numbers of proposals that differ by no more than this factor: it falls with them."""

Found = tuple[str, ev.Role, float, float, str]
"""Kind, role, value, reference and message of an alarm."""
Counted = tuple[float, int]
"""A share, and of how many cases."""


def watch(state: RunState, settings: GuardSettings) -> list[ev.Event]:
    """What the guard sees and does when the gate has decided on an iteration's adapters. What the log has already, in a
    fork, is not done again."""
    if settings.on_fall == "ignore":
        return []
    known = any(measured.iteration == state.iteration for measured in state.measured)
    measured = [] if known else [state.practice.measured(state.iteration)]
    state = reduce(evolve, measured, state)
    raised = {(alarm.kind, alarm.role) for alarm in alarms_of(state)}
    new = [alarm for alarm in alarms(state, settings.fall) if (alarm.kind, alarm.role) not in raised]
    state = reduce(evolve, new, state)
    return [*measured, *new, *(rollbacks(state) if settings.on_fall != "alarm" else ())]


def stop(state: RunState, settings: GuardSettings, roles: Collection[str]) -> ev.RunStopped | None:
    """Whether the run ends here, before its last iteration. `roles` are those that are trained."""
    raised = _grave(state)
    if settings.on_fall == "stop" and raised:
        return ev.RunStopped(iteration=state.iteration, why="alarm", reason=raised[0].message)
    waited = state.iteration - max(_gained(state), default=0)
    if roles and settings.patience is not None and waited >= settings.patience:
        reason = (
            f"in {counted(waited, 'iteration')} no adapter was promoted or solved more than all before it; "
            f"guard.patience is {settings.patience}"
        )
        return ev.RunStopped(iteration=state.iteration, why="nothing_learnt", reason=reason)
    return None


def alarms_of(state: RunState) -> list[ev.AlarmRaised]:
    """Those of this iteration."""
    return [alarm for alarm in state.alarms if alarm.iteration == state.iteration]


def _grave(state: RunState) -> list[ev.AlarmRaised]:
    """Those from which something follows: not that no entropy is left, where held-out accuracy has not fallen too."""
    raised = alarms_of(state)
    fallen = {alarm.role for alarm in raised if alarm.kind in ("held_out", "learning")}
    return [alarm for alarm in raised if alarm.kind != "answers" or alarm.role in fallen]


def alarms(state: RunState, fall: float) -> list[ev.AlarmRaised]:
    """What there is to say of an iteration that was measured."""
    return [
        ev.AlarmRaised.model_validate(
            {
                "iteration": state.iteration,
                "kind": kind,
                "role": role,
                "value": round(value, 6),
                "reference": round(reference, 6),
                "message": message,
            }
        )
        for kind, role, value, reference, message in (*_of_practice(state, fall), *_of_adapters(state, fall))
    ]


def rollbacks(state: RunState) -> Iterator[ev.AdapterRolledBack]:
    """The adapters that are taken out of use after the alarms of this iteration, one of each role at most."""
    done = {adapter.role for adapter in state.adapters.values() if adapter.rolled_back == state.iteration}
    for alarm in _grave(state):
        role, name = alarm.role, state.serving[alarm.role]
        responsible = alarm.kind != "learning" and name is not None and state.adapters[name].iteration < state.iteration
        if name is not None and responsible and role not in done:
            done.add(role)
            to = predecessor(state.adapters, name)
            yield ev.AdapterRolledBack(adapter=name, role=role, iteration=state.iteration, to=to, reason=alarm.message)


def fell(value: float, cases: int, best: float, cases_then: int, fall: float) -> bool:
    """Whether one share of so many cases is clearly below another one."""
    error = math.sqrt(value * (1.0 - value) / cases + best * (1.0 - best) / cases_then)
    return best - value > max(fall, ERRORS * error)


def _of_practice(state: RunState, fall: float) -> Iterator[Found]:
    now = next(measured for measured in reversed(state.measured) if measured.iteration == state.iteration)
    before = [measured for measured in state.measured if measured.iteration < state.iteration]
    varied = [m.diversity for m in before if m.diversity is not None and now.proposals <= ALIKE * m.proposals]
    if now.diversity is not None and now.proposals >= LEAST and now.diversity < max(varied, default=0.0) - fall:
        message = f"the tasks are less varied: their diversity is {now.diversity:.2f}, and was {max(varied):.2f}"
        yield "diversity", "teacher", now.diversity, max(varied), message

    fresh, then = _fresh(now), _best(_fresh(m) for m in before)
    if fresh is not None:
        sank = then is not None and fell(*fresh, *then, fall)
        if sank or fresh[0] < 1.0 - REPEATED:
            may = 1.0 - then[0] if sank and then is not None else REPEATED
            message = (
                f"{1.0 - fresh[0]:.0%} of the teacher's tasks repeat earlier ones, of which {may:.0%} would be usual"
            )
            yield "repetition", "teacher", 1.0 - fresh[0], may, message

    right, then = _right(now), _best(_right(m) for m in before)
    if right is not None and then is not None and fell(*right, *then, fall):
        message = f"attempts agree with {right[0]:.0%} of the labels that the teacher wrote, and did with {then[0]:.0%}"
        yield "labels", "teacher", right[0], then[0], message

    entropy = None if now.log_probability is None else abs(now.log_probability)
    if entropy is not None and now.answers >= LEAST and entropy < ENTROPY:
        message = f"the student's attempts are all alike: {entropy:.4f} nats of entropy a token"
        yield "answers", "student", entropy, ENTROPY, message


def _of_adapters(state: RunState, fall: float) -> Iterator[Found]:
    for name, adapter in state.adapters.items():
        if adapter.iteration != state.iteration or adapter.evaluated is None:
            continue
        role, scores, used = adapter.role, adapter.scores, state.serving[adapter.role]
        arms, asked = {score.arm for score in scores}, _asked(scores, name)
        if used != name and used in arms:
            mine = mean_share(scores, {used})
            theirs = mean_share(scores, {arm for arm in arms if arm.startswith(BASELINE)})
            if fell(mine, asked, theirs, asked, fall):
                message = f"{used} solves {mine:.3f} of the held-out problems, the base model {theirs:.3f}"
                yield "held_out", role, mine, theirs, message
        earlier = {
            mean_share(other.scores, {one}): one
            for one, other in state.adapters.items()
            if other.role == role and other.iteration < state.iteration and _asked(other.scores, one) == asked
        }
        mine, best = mean_share(scores, {name}), max(earlier, default=0.0)
        if fell(mine, asked, best, asked, fall):
            message = f"{name} solves {mine:.3f} of the held-out problems, {earlier[best]} solved {best:.3f}"
            yield "learning", role, mine, best, message


def _gained(state: RunState) -> Iterator[int]:
    """The iterations of adapters that were promoted, also where one was rolled back since, and of those that solved
    more than all before them: a student that gets better in small steps passes no test for some time."""
    for name, adapter in state.adapters.items():
        earlier = [
            mean_share(other.scores, {one})
            for one, other in state.adapters.items()
            if other.role == adapter.role and other.iteration < adapter.iteration and other.evaluated is not None
        ]
        better = adapter.evaluated is not None and mean_share(adapter.scores, {name}) > max(earlier, default=0.0)
        if adapter.serving != "never" or better:
            yield adapter.iteration


def _best(shares: Iterable[Counted | None]) -> Counted | None:
    """The largest share."""
    return max((share for share in shares if share is not None), default=None)


def _asked(scores: Collection[ev.ArmScore], arm: str) -> int:
    """How many problems an arm was asked; 0 where it was not."""
    return sum(score.problems for score in scores if score.arm == arm)


def _fresh(measured: ev.PracticeMeasured) -> Counted | None:
    """Share of the proposals that repeat nothing, and of how many; None of few."""
    count = measured.proposals + measured.repeats
    return (measured.proposals / count, count) if count >= LEAST else None


def _right(measured: ev.PracticeMeasured) -> Counted | None:
    """Share of freely written labels that the attempts confirm, and of how many; None of few."""
    count = measured.confirmed + measured.doubted
    return (measured.confirmed / count, count) if count >= LEAST else None
