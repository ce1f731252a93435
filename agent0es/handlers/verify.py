"""verify: the task domain's verifier judges each solution; what must run, runs in the sandbox."""

from collections.abc import Sequence

from agent0es.decisions.verify import Call, decide
from agent0es.domain import events as ev
from agent0es.domain.names import CallName, task_of
from agent0es.domain.run import RunState
from agent0es.errors import TransientError
from agent0es.handlers.attempt import call_tool, tool_requested
from agent0es.handlers.base import Ports, Record
from agent0es.handlers.retry import described
from agent0es.log import NewEvent, Recorded
from agent0es.taskdomains.base import NeedsCall
from agent0es.tools.base import ToolResult


class Verify:
    """ToolRequested and ToolCalled where something must run, then Verified."""

    name = "verify"
    causes = frozenset({ev.SolutionSubmitted})

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self.concurrency = ports.configuration.execution.tasks_in_flight * ports.configuration.execution.attempts

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        submitted = cause.event
        assert isinstance(submitted, ev.SolutionSubmitted)
        task = state.in_flight.get(submitted.task or 0)
        if task is None:
            return []
        call = sandbox_call(self._ports, task.task.domain, submitted.attempt, record)
        attempt = task.attempts[submitted.attempt]
        domain = self._ports.domains[task.task.domain]
        verified = await decide(submitted, attempt, task.task, task.request.seed, domain, call)
        return [NewEvent(self._ports.stream("attempt", submitted.attempt), verified)]


def sandbox_call(ports: Ports, domain: str, name: str, record: Record) -> Call:
    """Calls in the sandbox on behalf of the verifier, each in the log before and after.

    One whose sandbox is gone is retried under another name.
    """
    stream = ports.stream("attempt", name)

    async def call(needed: NeedsCall, purpose: ev.ToolPurpose) -> ToolResult:
        called = ""

        async def once() -> ToolResult:
            nonlocal called
            called = _free_call(ports, name, purpose)
            requested = tool_requested(ports, domain, called, name, needed, purpose)
            await record([NewEvent(stream, requested)])
            result, ended = await call_tool(ports, domain, stream, requested, needed.files)
            await record([ended])
            return result

        async def failed(retry: int, error: TransientError) -> None:
            retried = ev.Retried(handler="verify", task=task_of(name), name=called, retry=retry, error=described(error))
            await record([NewEvent(ports.stream("run"), retried)])

        return await ports.retries(once, failed)

    return call


def _free_call(ports: Ports, name: str, purpose: ev.ToolPurpose) -> str:
    """A name for the verifier's call that the log does not know: `12/3#s`, or `12/3#s2` after one that was cut off."""
    stream = ports.history.read(stream=("attempt", name), types=["ToolRequested"])
    made = sum(isinstance(r.event, ev.ToolRequested) and r.event.purpose == purpose for r in stream)
    return str(CallName(name, purpose, made + 1))
