"""Calls in the sandbox on behalf of a verifier, each in the log before and after."""

from dataclasses import dataclass

from agent0es.decisions.verify import Call
from agent0es.domain import events as ev
from agent0es.domain.names import CallName, stream, task_of
from agent0es.errors import TransientError
from agent0es.log import History, NewEvent
from agent0es.rollouts.retry import Retries, described
from agent0es.rollouts.rollout import Recorder
from agent0es.rollouts.toolbox import Limits, Toolbox
from agent0es.taskdomains.base import NeedsCall
from agent0es.tools.base import ToolResult


@dataclass(frozen=True, slots=True)
class VerifierCalls:
    """Makes the calls that a judgement needs."""

    run: str
    history: History
    """Where it is looked up which names of calls are taken."""
    toolbox: Toolbox
    retries: Retries

    def of(self, attempt: str, limits: Limits, record: Recorder) -> Call:
        """The calls on one attempt or draft. One whose sandbox is gone is retried under another name."""
        own = stream("attempt", self.run, attempt)

        async def call(needed: NeedsCall, purpose: ev.ToolPurpose) -> ToolResult:
            called = ""

            async def once() -> ToolResult:
                nonlocal called
                called = self._free(attempt, purpose)
                requested = self.toolbox.requested(limits, called, attempt, needed, purpose)
                await record([NewEvent(own, requested)])
                result, ended = await self.toolbox.call(limits, own, requested, needed.files)
                await record([ended])
                return result

            async def failed(retry: int, error: TransientError) -> None:
                task, why = task_of(attempt), described(error)
                retried = ev.Retried(handler="verify", task=task, name=called, retry=retry, error=why)
                await record([NewEvent(stream("run", self.run), retried)])

            return await self.retries(once, failed)

        return call

    def _free(self, attempt: str, purpose: ev.ToolPurpose) -> str:
        """A name that the log does not know: `12/3#s`, or `12/3#s2` after one that was cut off."""
        asked = self.history.read(stream=("attempt", attempt), types=["ToolRequested"])
        made = sum(isinstance(one.event, ev.ToolRequested) and one.event.purpose == purpose for one in asked)
        return str(CallName(attempt, purpose, made + 1))
