"""solve: the student makes k attempts at a proposed task, side by side so that the engine batches them."""

import asyncio
import random
from collections.abc import Sequence

from agent0es.agents.student import lead
from agent0es.domain import events as ev
from agent0es.domain.run import RunState
from agent0es.domain.seeds import derive_seed
from agent0es.handlers.attempt import Problem, attempt, to_its_end
from agent0es.handlers.base import Ports, Record
from agent0es.log import NewEvent, Recorded
from agent0es.taskdomains.base import Demonstration


class Solve:
    """AttemptStarted, ModelCalled, ToolRequested, ToolCalled, SolutionSubmitted; Reflected where that is asked for;
    AttemptAbandoned for one that was cut off."""

    name = "solve"
    causes = frozenset({ev.TaskProposed})

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self.concurrency = ports.configuration.execution.tasks_in_flight

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        proposed = cause.event
        assert isinstance(proposed, ev.TaskProposed)
        adapter = state.serving["student"]
        attempts = [self._attempt(k, proposed, adapter, record) for k in range(proposed.attempts)]
        if self._ports.configuration.execution.deterministic:
            for one in attempts:
                await one
        else:
            async with asyncio.TaskGroup() as group:
                for one in attempts:
                    group.create_task(one)
        return []

    async def _attempt(self, k: int, proposed: ev.TaskProposed, adapter: str | None, record: Record) -> None:
        """Attempt k, unless the log already has its solution; one that was cut off is retried."""
        ports, task = self._ports, proposed.task
        await to_its_end(
            *(ports, ports.history, f"{task}/{k}", task, ev.SolutionSubmitted, record),
            lambda name: self._make(name, k, proposed, adapter, record),
        )

    async def _make(self, name: str, k: int, proposed: ev.TaskProposed, adapter: str | None, record: Record) -> None:
        ports = self._ports
        shown = self._demonstrations(proposed)
        attempted = await attempt(
            Problem(
                attempt=name,
                task=proposed.task,
                domain=proposed.proposal.domain,
                description=proposed.proposal.description,
                files=proposed.proposal.files,
                seed=derive_seed(proposed.seed, "attempt", k),
                adapter=adapter,
                temperature=ports.settings("student").temperature,
                demonstrations=shown,
                lead=lead(shown),
            ),
            ports,
            record,
        )
        submitted = ev.SolutionSubmitted(attempt=name, task=proposed.task, solution=attempted.solution)
        await record([*attempted.pending, NewEvent(ports.stream("attempt", name), submitted)])

    def _demonstrations(self, proposed: ev.TaskProposed) -> tuple[Demonstration, ...]:
        """Worked examples of the family: the same text for all of its tasks, so that the engine reads it once."""
        family, domain = proposed.proposal.family, self._ports.domains[proposed.proposal.domain]
        if not proposed.proposal.parameters:  # written freely: there is no family to show
            return tuple(domain.mixed_demonstrations(proposed.demonstrations))
        rng = random.Random(derive_seed(self._ports.configuration.seed, "demonstrations", family))
        return tuple(domain.demonstrations(family, proposed.demonstrations, rng))
