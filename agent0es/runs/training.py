"""Train an adapter from a run that is completed: from its practice as it is, or anew without what was retracted since.

What is asked for is an event, TrainingRequested, with the settings; the handlers react to it as they do at the end of
an iteration. The new adapter answers the held-out problems, and the gate decides.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent0es.domain import events as ev
from agent0es.domain.names import stream
from agent0es.errors import ConfigurationError
from agent0es.log import EventLog, NewEvent
from agent0es.runs.driving import Watcher, drive_run
from agent0es.runs.settings import configuration_of

if TYPE_CHECKING:
    from agent0es.configuration import Configuration, TrainingSettings
    from agent0es.domain.run import RunState
    from agent0es.handlers.base import Ports


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a user asks for."""

    overrides: tuple[str, ...] = ()
    """`training.KEY=VALUE`, in which it differs from the run's own settings."""
    role: ev.Role = "student"
    """Whose adapter; of a rebuild the tainted adapter says it."""
    without_retracted: bool = False
    """To take the place of a tainted adapter."""
    name: str | None = None
    """Of the new adapter."""


class TrainingWatcher(Watcher, Protocol):
    """Is told what is trained, and then how it goes."""

    def training_begins(self, requested: ev.TrainingRequested, resumed: bool) -> None:
        """What was asked for; `resumed` where that was earlier, and it was cut off."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done."""

    requested: ev.TrainingRequested
    configuration: "Configuration"
    """Under which the run is driven for it."""
    resumed: bool = False


def plan(log: EventLog, run: str, wanted: Wanted) -> Plan:
    """What follows from the log and what is wanted; an earlier request that was cut off comes first. Writes nothing.

    Raises ConfigurationError for a setting that can't be, RetractionError where there is nothing to rebuild,
    TrainingRefused for a run that is not completed or a name that can't be used.
    """
    from agent0es.decisions.train import as_requested
    from agent0es.projections.state import state_at
    from agent0es.provenance.retraction import plan_rebuild, plan_training, unfinished
    from agent0es.training.methods import with_learning_rate

    state, before = state_at(log, run), configuration_of(log, run)
    for name in unfinished(state):
        known = state.adapters[name]
        earlier = known.requested or ev.TrainingRequested(
            adapter=name,
            role=known.role,
            iteration=known.iteration,
            replaces=None,
            settings=with_learning_rate(before.training).model_dump(mode="json"),
        )
        return Plan(earlier, as_requested(before, known.requested), resumed=True)
    if wanted.without_retracted:
        rebuilt = plan_rebuild(state, run, wanted.name)
        before = as_requested(before, state.adapters[rebuilt.original].requested)
    after = _changed(before, wanted.overrides)
    if wanted.without_retracted:
        adapter, role, iteration, replaces = rebuilt.adapter, rebuilt.role, rebuilt.iteration, rebuilt.original
    else:
        role, iteration, replaces = wanted.role, state.iteration, None
        adapter = plan_training(state, run, role, after.training.method, wanted.name)
    _must_fit(log, run, state, role, iteration, after.training)
    requested = ev.TrainingRequested(
        adapter=adapter,
        role=role,
        iteration=iteration,
        replaces=replaces,
        settings=with_learning_rate(after.training).model_dump(mode="json"),
    )
    return Plan(requested, after)


def _must_fit(
    log: EventLog, run: str, state: "RunState", role: ev.Role, iteration: int, training: "TrainingSettings"
) -> None:
    """Raises ConfigurationError where the adapter that the training would go on from is of another shape."""
    from agent0es.decisions.train import rows_of, start_of, why_other_shape
    from agent0es.log import History
    from agent0es.projections.datasets import events_of_dataset

    start = start_of(role, events_of_dataset(History.of(log, run), iteration), rows_of(training))
    if start is not None and (why := why_other_shape(training, state.adapters.get(start), start)):
        raise ConfigurationError(why)


def _changed(before: "Configuration", overrides: Iterable[str]) -> "Configuration":
    """The configuration with these keys of its training. Whose adapters the run trains by itself stays as it is."""
    from agent0es.configuration import changed_configuration

    given = list(overrides)
    for override in given:
        key = override.partition("=")[0].strip()
        if not key.startswith("training.") or key == "training.roles":
            raise ConfigurationError(
                f"--set {key}: only settings of the training can be others here"
                + ("; say whose adapter with --role" if key == "training.roles" else ", such as training.epochs=3")
            )
    return changed_configuration(before, given)


async def train(store: Path, log: EventLog, run: str, plan: Plan, watcher: TrainingWatcher) -> "RunState":
    """Train the adapter, evaluate it, and let the gate decide. The caller holds the lease on the run.

    Raises ConfigurationError where this model can't be trained so, and what `drive_run` raises.
    """

    def begin(ports: "Ports") -> None:
        watcher.training_begins(plan.requested, plan.resumed)
        if not plan.resumed:
            request(ports, plan.requested)

    return await drive_run(store, log, run, plan.configuration, watcher, begin)


def request(ports: "Ports", requested: ev.TrainingRequested) -> None:
    """Write what is asked for, to which the handlers react. Raises ConfigurationError where it can't be trained."""
    from agent0es.runs.models import problems

    role, training = requested.role, ports.configuration.training.model_copy(update={"roles": (requested.role,)})
    configuration = ports.configuration.model_copy(update={"training": training})
    for why in problems(configuration, role, ports.models[role], ports.trainer):
        raise ConfigurationError(why)
    ports.log.append([NewEvent(stream("adapter", ports.run, requested.adapter), requested)], handler="cli")
