"""What a handler is, and what it may touch."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent0es.configuration import Configuration, ModelSettings, ToolsSettings
from agent0es.domain.events import Event, Role
from agent0es.domain.names import stream
from agent0es.domain.rewards import RewardComponent
from agent0es.domain.run import RunState
from agent0es.handlers.retry import Retries
from agent0es.log import EventLog, History, NewEvent, Recorded
from agent0es.models.base import ModelBackend
from agent0es.models.deployments import Deployments
from agent0es.models.embedder import Embedder
from agent0es.taskdomains import Domains
from agent0es.tools.base import Tool
from agent0es.tools.policy import Rates, settings_in
from agent0es.tools.program import RunProgram
from agent0es.training.base import ProgressCallback, Trainer


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside the domain that handlers may call, plugged in by `bootstrap.py`."""

    run: str
    store: Path
    log: EventLog
    history: History
    """What the log holds of this run and of the runs that it was forked from."""
    configuration: Configuration
    domains: Domains
    models: Mapping[Role, ModelBackend]
    tools: Mapping[str, Tool]
    """Those that the student may call, and those that verifiers call."""
    run_program: RunProgram
    """Runs a verifier's program in the sandbox."""
    rewards: Mapping[str, RewardComponent]
    embedder: Embedder
    trainer: Trainer
    deployments: Mapping[Role, Deployments]
    """What is served of each role's model; of one model the same."""
    on_training_progress: ProgressCallback
    tier: str = "none"
    """The isolation of tool calls."""
    rates: Rates = field(default_factory=Rates)
    """The tool calls of the last minute."""

    @property
    def retries(self) -> Retries:
        """Retries what may succeed next time."""
        return Retries(self.configuration.execution.retries)

    def settings(self, role: Role) -> ModelSettings:
        """How the role's model is to be asked."""
        return self.configuration.models.teacher if role == "teacher" else self.configuration.models.student

    def tools_settings(self, domain: str) -> ToolsSettings:
        """What the student may call, and within which limits, at a task of this domain."""
        made_for = self.domains[domain]
        return settings_in(self.configuration.tools, made_for.tools, made_for.calls_per_attempt)

    def stream(self, kind: str, name: str | int = "") -> str:
        """Name of a stream of this run, e.g. `task/<run>/12`, `run/<run>`."""
        return stream(kind, self.run, name)


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
