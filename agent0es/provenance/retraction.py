"""Declaring a task or an attempt bad, and what has to be retrained for it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count
from typing import NamedTuple

from agent0es.domain import events as ev
from agent0es.domain.adapter import Adapter
from agent0es.domain.names import BASELINE, LONGEST_NAME, is_adapter_name, rebuilt_name, requested_name
from agent0es.domain.retraction import covers
from agent0es.domain.run import RunState
from agent0es.errors import RetractionError, TrainingRefused, UnknownName
from agent0es.log import Recorded

TYPES = ("TaskProposed", "AttemptStarted", "Retracted")
"""The events that `retract` reads."""


def retract(what: str, reason: str, actor: str, run: str, recorded: Iterable[Recorded]) -> ev.Retracted:
    """The retraction of a task (its number) or of an attempt at one (its name), as an event. Pure.

    `recorded` are the run's events. Raises UnknownName, and RetractionError when it is retracted already.
    """
    if not reason.strip():
        raise RetractionError("a retraction needs a reason: say why with --reason")
    known, before = False, None
    for one in recorded:
        match one.event:
            case ev.TaskProposed(task=task) if str(task) == what:
                known = True
            case ev.AttemptStarted(attempt=attempt, task=int()) if attempt == what:
                known = True
            case ev.Retracted() as event if covers(event.what, what):
                before = (event, datetime.fromtimestamp(one.meta.time, UTC))
            case _:
                pass
    if not known:
        raise UnknownName(
            f"run {run} has no task or attempt {what!r} of practice; name a task as 12, an attempt as 12/0. "
            "They are listed by",
            see=("sql", "FROM attempts"),
        )
    if before is not None:
        event, time = before
        raise RetractionError(
            f"{what} of run {run} is retracted already: {event.what} by {event.actor!r} at "
            f"{time:%Y-%m-%d %H:%M:%S} UTC, because {event.reason!r}"
        )
    return ev.Retracted(what=what, reason=reason, actor=actor)


class Rebuild(NamedTuple):
    """An adapter that is to be retrained without what is retracted."""

    original: str
    role: ev.Role
    iteration: int
    adapter: str
    """Name of the new one."""


def plan_rebuild(state: RunState, run: str, name: str | None) -> Rebuild:
    """Which adapter of a completed run to retrain: the tainted one in use, else the latest tainted one. Pure.

    `name` is the new one's. Raises RetractionError when there is none, TrainingRefused for a name that can't be.
    """
    _must_be_completed(state, run)
    serving_first = [*filter(None, state.serving.values()), *reversed(list(state.adapters))]
    original = next((candidate for candidate in serving_first if _has_to_be_rebuilt(state, candidate)), None)
    if original is None:
        raise RetractionError(f"run {run} has no adapter to rebuild: none learnt from what is retracted, or it is done")
    known = state.adapters[original]
    names = (rebuilt_name(known.role, known.iteration, number) for number in count(1))
    return Rebuild(original, known.role, known.iteration, _new_name(state, run, name, names))


def plan_training(state: RunState, run: str, role: ev.Role, method: str, name: str | None) -> str:
    """The name of an adapter that a completed run is asked for. Pure. Raises TrainingRefused where it can't be."""
    _must_be_completed(state, run)
    names = (requested_name(role, state.iteration, method, number) for number in count(1))
    return _new_name(state, run, name, names)


def _must_be_completed(state: RunState, run: str) -> None:
    if state.status != "completed":
        raise TrainingRefused(
            f"run {run} is not completed, and its own training comes first; let it finish with",
            see=("run", "--resume", run),
        )


def _new_name(state: RunState, run: str, name: str | None, names: Iterable[str]) -> str:
    """The name that was given, or the first that is free."""
    if name is None:
        return next(free for free in names if free not in state.adapters)
    if name in state.adapters:
        raise TrainingRefused(f"run {run} has an adapter {name!r} already; choose another name with --name")
    if not is_adapter_name(name):
        raise TrainingRefused(
            f"--name {name[:100]!r}: use up to {LONGEST_NAME} letters, digits, - and _, a letter first, not {BASELINE}"
        )
    return name


def unfinished(state: RunState) -> list[str]:
    """Adapters that a completed run was asked for and that were cut off on their way."""
    return [name for name, adapter in state.adapters.items() if state.status == "completed" and not adapter.settled]


def _has_to_be_rebuilt(state: RunState, name: str) -> bool:
    """Whether an adapter was trained on what is retracted and no clean one was trained to take its place."""
    adapter, names = state.adapters[name], list(state.adapters)

    def replaces(other: Adapter) -> bool:
        if other.requested is None:  # of before TrainingRequested, when nothing but a rebuild came later
            asked = (other.role, other.iteration) == (adapter.role, adapter.iteration)
        else:
            asked = other.requested.replaces == name
        return asked and other.trained is not None and not other.tainted

    later = [state.adapters[other] for other in names[names.index(name) + 1 :]]
    return adapter.tainted and adapter.trained is not None and not any(map(replaces, later))
