"""solve: the student makes k attempts at a proposed task, side by side so that the engine batches them."""

import asyncio
import random
from collections.abc import Sequence

from agent0es.agents.student_prompt import lead, told
from agent0es.configuration import Configuration
from agent0es.domain import events as ev
from agent0es.domain.names import Practised, stream
from agent0es.domain.run import RunState
from agent0es.domain.seeds import derive_seed
from agent0es.handlers.base import Record
from agent0es.log import NewEvent, Recorded
from agent0es.rollouts.attempts import Attempts
from agent0es.rollouts.executor import Executor
from agent0es.rollouts.rollout import Problem, Rollout, Student
from agent0es.rollouts.toolbox import Limits
from agent0es.taskdomains import Domains
from agent0es.taskdomains.base import Demonstration


class Solve:
    """AttemptStarted, ModelCalled, ToolRequested, ToolCalled, SolutionSubmitted; Reflected where that is asked for;
    AttemptAbandoned for one that was cut off."""

    name = "solve"
    causes = frozenset({ev.TaskProposed})

    def __init__(
        self, run: str, configuration: Configuration, domains: Domains, attempts: Attempts, executor: Executor
    ) -> None:
        self._run = run
        self._configuration = configuration
        self._domains = domains
        self._attempts = attempts
        self._executor = executor
        self.concurrency = configuration.execution.tasks_in_flight

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        proposed = cause.event
        assert isinstance(proposed, ev.TaskProposed)
        adapter = state.serving["student"]
        if self._configuration.execution.deterministic:
            for k in range(proposed.attempts):
                await self._attempt(k, proposed, adapter, record)
        else:
            async with asyncio.TaskGroup() as group:
                for k in range(proposed.attempts):
                    group.create_task(self._attempt(k, proposed, adapter, record))
        return []

    async def _attempt(self, k: int, proposed: ev.TaskProposed, adapter: str | None, record: Record) -> None:
        """Attempt k, unless the log already has its solution; one that was cut off is retried."""

        async def make(name: str) -> None:
            rollout = self._rollout(name, k, proposed, adapter)
            attempted = await self._executor.run(rollout, record)
            submitted = ev.SolutionSubmitted(attempt=name, task=proposed.task, solution=attempted.solution)
            await record([*attempted.pending, NewEvent(rollout.stream, submitted, attempted.measured)])

        name = str(Practised(proposed.task, k))
        await self._attempts.to_its_end(name, proposed.task, ev.SolutionSubmitted, record, make)

    def _rollout(self, name: str, k: int, proposed: ev.TaskProposed, adapter: str | None) -> Rollout:
        """Attempt k at the task, under the name that it is made under."""
        domain, student = self._domains[proposed.proposal.domain], self._configuration.models.student
        shown, said = self._demonstrations(proposed), told(domain, trained=adapter is not None)
        return Rollout(
            stream=stream("attempt", self._run, name),
            problem=Problem(
                attempt=name,
                task=proposed.task,
                system=said.system,
                guide=said.guide,
                description=proposed.proposal.description,
                seed=derive_seed(proposed.seed, "attempt", k),
                files=proposed.proposal.files,
                demonstrations=shown,
                lead=lead(shown),
            ),
            student=Student(adapter, student, student.temperature),
            limits=Limits.of(domain, self._configuration.tools),
            questions=self._configuration.execution.reflection,
        )

    def _demonstrations(self, proposed: ev.TaskProposed) -> tuple[Demonstration, ...]:
        """Worked examples of the family: the same text for all of its tasks, so that the engine reads it once."""
        family, domain = proposed.proposal.family, self._domains[proposed.proposal.domain]
        if not proposed.proposal.parameters:  # written freely: there is no family to show
            return tuple(domain.mixed_demonstrations(proposed.demonstrations))
        rng = random.Random(derive_seed(self._configuration.seed, "demonstrations", family))
        return tuple(domain.demonstrations(family, proposed.demonstrations, rng))
