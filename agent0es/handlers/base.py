"""What a handler is, and what it may touch."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent0es.configuration import Configuration
from agent0es.domain.events import Event, Role
from agent0es.domain.rewards import RewardComponent
from agent0es.domain.run import RunState
from agent0es.handlers.datasets import Datasets
from agent0es.log import EventLog, History, NewEvent, Recorded
from agent0es.models.base import ModelBackend
from agent0es.models.deployments import Deployments
from agent0es.models.embedder import Embedder
from agent0es.rollouts.retry import Retries
from agent0es.rollouts.toolbox import Toolbox
from agent0es.taskdomains import Domains
from agent0es.training.base import ProgressCallback, Trainer


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything that a run has open. `bootstrap.handlers` gives each handler what it needs of it, by name."""

    run: str
    store: Path
    log: EventLog
    history: History
    """What the log holds of this run and of the runs that it was forked from."""
    configuration: Configuration
    domains: Domains
    models: Mapping[Role, ModelBackend]
    toolbox: Toolbox
    rewards: Mapping[str, RewardComponent]
    embedder: Embedder
    trainer: Trainer
    on_training_progress: ProgressCallback

    @property
    def retries(self) -> Retries:
        """Retries what may succeed next time."""
        return Retries(self.configuration.execution.retries)

    @property
    def deployments(self) -> Mapping[Role, Deployments]:
        """What is served of each role's model."""
        return {role: Deployments(model, self.store, self.trainer.remake) for role, model in self.models.items()}

    @property
    def datasets(self) -> Datasets:
        """What adapters learn from."""
        return Datasets(self.run, self.store, self.history, self.configuration, self.domains)


class Record(Protocol):
    """Appends events on behalf of the handler; they are durable when it returns.

    With `last=True` the cause counts as handled in the same transaction; the handler must then return nothing.
    """

    async def __call__(self, events: Sequence[NewEvent], *, last: bool = False) -> list[Recorded]: ...


class Handler(Protocol):
    """A reaction to some types of event."""

    @property
    def name(self) -> str: ...

    @property
    def causes(self) -> Collection[type[Event]]: ...

    @property
    def concurrency(self) -> int:
        """How many causes it may work on at once."""
        ...

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        """React to one event. `state` is the fold up to and including the cause.

        What is returned is appended together with the mark that the cause is handled, in one transaction.
        """
        ...


Observer = Callable[[Recorded, RunState], None]
"""Is told of every event after it was appended, with the state after it."""
