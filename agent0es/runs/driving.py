"""Drive a run to its end, from wherever its log ends: one that starts, one that was cut off, a fork, a rebuild.

What is in the log is safe. Whoever cancels `drive_run` may drive the run again later, and it continues there.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from agent0es import bootstrap
from agent0es.domain.run import RunState, evolve
from agent0es.errors import ModelNotFound
from agent0es.log import EventLog, History, NewEvent, Recorded
from agent0es.runs.models import see_that_servers_answer

if TYPE_CHECKING:
    from agent0es.configuration import Configuration
    from agent0es.evaluation.suite import HeldOut
    from agent0es.handlers.base import Observer, Ports

LOOK_EVERY_SECONDS = 1.0
"""How often a watcher is told what is being loaded."""


class Watcher(Protocol):
    """Is told how a run goes while it is driven. The loop that drives calls it, so each call should be short."""

    def opened(self, problems: "Sequence[HeldOut]", tier: str, warnings: "Sequence[str]") -> None:
        """The models, the tools and the sandbox are there. `problems` are the held-out ones, `tier` the isolation,
        `warnings` what the models can't give this run, and what it will hardly learn from."""
        ...

    def event(self, recorded: Recorded, state: RunState) -> None:
        """An event was appended, or read where the run has some already; `state` is the one after it."""
        ...

    def training(self, progress: Mapping[str, Any]) -> None:
        """The trainer has made a step: `step` of `steps`, `loss`, `tokens_per_second`."""
        ...

    def loading(self, what: str) -> None:
        """What is being loaded just now, empty for nothing. Comes every second."""
        ...


async def drive_run(
    store: Path,
    log: EventLog,
    run: str,
    configuration: "Configuration",
    watcher: Watcher,
    begin: "Callable[[Ports], None] | None" = None,
) -> RunState:
    """Open what the run needs, do `begin`, and drive the run to its end. The caller holds the lease on the run.

    `configuration` is the run's own; secrets that the log does not hold may be in it. Raises ConfigurationError,
    ModelNotFound (also for weights that are others than those it was begun with), ModelDoesNotAnswer or
    SandboxUnavailable before anything is written, and HandlerError when a handler fails for good.
    """
    from agent0es.decisions.train import too_early
    from agent0es.evaluation.suite import suite
    from agent0es.models.requirements import changed_weights, weakened

    async with bootstrap.open_ports(store, log, run, configuration, watcher.training) as ports:
        if why := changed_weights(ports.history.started.weights, ports.models):
            raise ModelNotFound(why)
        await see_that_servers_answer(configuration, ports.models)
        if begin is not None:
            begin(ports)
        problems = suite(ports.domains, configuration.evaluation, configuration.seed)
        warnings = weakened(configuration, ports.models)
        promoted = (one.event for one in ports.history.read(types=["AdapterPromoted"]))
        if why := too_early(configuration, promoted):
            warnings.append(why)
        watcher.opened(problems, ports.toolbox.tier, warnings)
        looking = asyncio.create_task(_tell_what_loads(ports, watcher))
        try:
            return await drive(ports, [watcher.event])
        finally:
            looking.cancel()


async def drive(ports: "Ports", observers: "Sequence[Observer]") -> RunState:
    """Run the loop until the run is completed, with everything open."""
    from agent0es.handlers.dispatcher import Dispatcher
    from agent0es.handlers.serving import Serving
    from agent0es.projections.state import state_at

    async def record(events: Sequence[NewEvent], *, last: bool = False) -> list[Recorded]:
        return ports.log.append(events, handler="cli")

    state = state_at(ports.log, ports.run)
    if state.status != "completed":
        # An evaluated adapter may be promoted next, and nothing else would deploy it.
        evaluated = [name for name, adapter in state.adapters.items() if adapter.outcome == "evaluated"]
        asked = [*filter(None, state.serving.values()), *evaluated]
        await Serving(ports.run, ports.deployments).serve(state, asked, record)
    handlers = bootstrap.handlers(ports)
    return await Dispatcher(ports.log, ports.run, handlers, ports.configuration.execution, observers).run()


def is_over(log: EventLog, run: str) -> bool:
    """Whether there is nothing left to do: the run is completed, and so is what was rebuilt since. Opens nothing."""
    from agent0es.provenance.retraction import unfinished

    history = History.of(log, run)
    if not any(recorded.run == run for recorded in history.read(types=["RunCompleted"])):
        return False
    state = RunState()
    for recorded in history.read():
        state = evolve(state, recorded.event)
    return not unfinished(state)


def retell(log: EventLog, run: str, watcher: Watcher) -> RunState:
    """Tell a watcher every event of a run's history again. Returns the last state."""
    state = RunState()
    for recorded in History.of(log, run).read():
        state = evolve(state, recorded.event)
        watcher.event(recorded, state)
    return state


async def _tell_what_loads(ports: "Ports", watcher: Watcher) -> None:
    while True:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        watcher.loading(await what_loads(ports))


async def what_loads(ports: "Ports") -> str:
    """What is being loaded in this process, in words; empty where all is. Servers are not asked: each look would be a
    request, which counts against their limits, and among those that failed."""
    from agent0es.models.factory import is_elsewhere

    models = ports.configuration.models
    here = [model for role, model in ports.models.items() if not is_elsewhere(getattr(models, role).backend)]
    loading = [(await model.health()).loading for model in dict.fromkeys(here)]
    return next(filter(None, [*loading, ports.embedder.loading]), "")
