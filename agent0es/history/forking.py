"""A fork's configuration, and which changes to it make no sense at a place in a run's history."""

from collections.abc import Iterable

from agent0es.configuration import Configuration, changed_configuration, parse_configuration
from agent0es.decisions.train import as_requested, why_other_shape
from agent0es.domain.run import RunState
from agent0es.errors import ConfigurationError
from agent0es.history.positions import check_position
from agent0es.log import EventLog
from agent0es.projections.snapshots import Snapshots
from agent0es.provenance.retraction import unfinished


def fork_configuration(
    log: EventLog, snapshots: Snapshots, parent: str, position: int, overrides: Iterable[str]
) -> Configuration:
    """The configuration of a fork: the one in force at the position, with single keys set. While an adapter is trained
    that was asked for by itself, its settings are in force: the fork trains it too.

    Raises PositionNotFound when the parent has not been there, ConfigurationError for a change that can't be.
    """
    state = snapshots.state_at(parent, check_position(log, parent, position))
    before = parse_configuration(state.configuration, f"run {parent}")
    for name in unfinished(state):
        before = as_requested(before, state.adapters[name].requested)
    after = changed_configuration(before, overrides)
    reason = refusal(state, before, after)
    if reason is not None:
        raise ConfigurationError(f"fork of {parent} at {position}: {reason}")
    return after


def refusal(state: RunState, before: Configuration, after: Configuration) -> str | None:
    """Why a run in this state can't continue under another configuration, and what to do; None when it can. Pure."""
    if state.phase == "done" and after.execution.iterations <= state.iteration:
        return (
            f"the run is completed there; set execution.iterations to more than {state.iteration}, "
            "or name an earlier position"
        )
    for name in ("domains", "families"):
        if getattr(after.curriculum, name) != getattr(before.curriculum, name):
            return f"curriculum.{name} can't change within a run, whose tasks are of the old ones; start another run"
    settling = state.phase in ("training", "evaluation") and not _settled(state, before)
    if settling and after.training.roles != before.training.roles:
        return "training.roles can't change while adapters are trained; name a position of the practice before or after"
    for role in after.training.roles:
        serving = state.serving[role]
        if serving is not None and (why := why_other_shape(after.training, state.adapters[serving], serving)):
            return why
    for role, old, new in (
        ("teacher", before.models.teacher, after.models.teacher),
        ("student", before.models.student, after.models.student),
    ):
        trained = any(adapter.role == role for adapter in state.adapters.values())
        if trained and (old.backend, old.name) != (new.backend, new.name):
            return f"models.{role} can't be another model once adapters were trained; name an earlier position"
    return None


def _settled(state: RunState, configuration: Configuration) -> bool:
    settled = {a.role for a in state.adapters.values() if a.iteration == state.iteration and a.settled}
    return settled >= set(configuration.training.roles)
