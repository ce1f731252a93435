"""Start a run: everything that it needs is opened once to see that it is there; then its first event is written."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent0es import __version__, bootstrap, plugins
from agent0es.domain import events as ev
from agent0es.domain.names import stream
from agent0es.errors import ConfigurationError
from agent0es.log import EventLog, NewEvent
from agent0es.runs import finding
from agent0es.runs.jobs import job_of_this_process
from agent0es.runs.models import problems, see_that_prompts_fit, see_that_servers_answer, why_alike

if TYPE_CHECKING:
    from agent0es.configuration import Configuration


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run is made with, for its first event."""

    weights: Mapping[str, str]
    """Model name to sha256 of its weights."""
    plugins: Mapping[str, str]
    """`<entry point group>:<name>` to package and version."""


NO_PARTS = Parts({}, {})
"""Of models without weights, and parts that were put together by hand."""


async def check(store: Path, log: EventLog, configuration: "Configuration") -> Parts:
    """Open everything that a run needs and close it again, so that errors are reported before the run begins.

    Raises what `open_ports` raises, ConfigurationError for a model that can't be trained, or served when it is, or
    can't read the run's longest prompt, and ModelDoesNotAnswer.
    """
    from agent0es.models.requirements import weights_of

    models = configuration.models
    async with bootstrap.open_ports(store, log, "", configuration, lambda progress: None) as ports:
        for role in configuration.training.roles:
            for why in problems(configuration, role, ports.models[role], ports.trainer):
                raise ConfigurationError(why)
        if (alike := why_alike(configuration)) is not None:
            raise ConfigurationError(alike)
        await see_that_servers_answer(configuration, ports.models)
        await see_that_prompts_fit(configuration, ports.models, ports.domains)
        used: dict[plugins.Group, set[str]] = {
            plugins.MODELS: {models.teacher.backend, models.student.backend},
            plugins.TOOLS: set(ports.toolbox.tools),
            plugins.TASK_DOMAINS: set(ports.domains),
            plugins.FAMILIES: set(configuration.curriculum.families),
            plugins.REWARDS: set(ports.rewards),
            plugins.METHODS: {configuration.training.method} if configuration.training.roles else set(),
        }
        return Parts(weights_of(ports.models), plugins.packages_of(used))


@contextmanager
def started(log: EventLog, configuration: "Configuration", parts: Parts) -> Iterator[str]:
    """A new run, which no other process can drive until the end of the block. Gives its name."""
    run = finding.new_run_name(log)
    with log.lease(run):
        start_run(log, run, configuration, parts)
        yield run


def start_run(log: EventLog, run: str, configuration: "Configuration", parts: Parts) -> None:
    """Write RunStarted. The caller holds the lease on the run."""
    begun = ev.RunStarted(
        seed=configuration.seed,
        configuration=configuration.model_dump(mode="json"),
        code_version=__version__,
        weights=dict(parts.weights),
        plugins=dict(parts.plugins),
    )
    log.append([NewEvent(stream("run", run), begun, job_of_this_process())], handler="cli")
