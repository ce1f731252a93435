"""verify: the task domain's verifier judges each solution; what must run, runs in the sandbox."""

from collections.abc import Sequence

from agent0es.configuration import Configuration
from agent0es.decisions.verify import decide
from agent0es.domain import events as ev
from agent0es.domain.names import stream
from agent0es.domain.run import RunState
from agent0es.handlers.base import Record
from agent0es.log import NewEvent, Recorded
from agent0es.rollouts.toolbox import Limits
from agent0es.rollouts.verifying import VerifierCalls
from agent0es.taskdomains import Domains


class Verify:
    """ToolRequested and ToolCalled where something must run, then Verified."""

    name = "verify"
    causes = frozenset({ev.SolutionSubmitted})

    def __init__(self, run: str, configuration: Configuration, domains: Domains, calls: VerifierCalls) -> None:
        self._run = run
        self.concurrency = configuration.execution.tasks_in_flight * configuration.execution.attempts
        self._tools = configuration.tools
        self._domains = domains
        self._calls = calls

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        submitted = cause.event
        assert isinstance(submitted, ev.SolutionSubmitted)
        task = state.in_flight.get(submitted.task or 0)
        if task is None:
            return []
        domain = self._domains[task.task.domain]
        call = self._calls.of(submitted.attempt, Limits.of(domain, self._tools), record)
        attempt = task.attempts[submitted.attempt]
        verified = await decide(submitted, attempt, task.task, task.request.seed, domain, call)
        return [NewEvent(stream("attempt", self._run, submitted.attempt), verified)]
