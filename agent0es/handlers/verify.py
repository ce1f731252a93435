"""verify: the task domain's verifier judges each solution; what must run, runs in the sandbox.

A correct solution's code is also tried on a second instance of the family: code that is right by luck, such as
`n % 2 == 1`, is not worth learning from.
"""

import random
from collections.abc import Sequence

from agent0es.domain import events as ev
from agent0es.domain.run import AttemptState, RunState
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Task, Verification
from agent0es.handlers.attempt import call_tool, tool_requested
from agent0es.handlers.base import Ports, Record
from agent0es.log import NewEvent, Recorded
from agent0es.taskdomains.base import NeedsSymbolic


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
        attempt = task.attempts[submitted.attempt]
        verification = await judge(self._ports, submitted.attempt, submitted.solution.answer, task.task, record)
        second = None
        if verification.correct is True:
            second = await self._second_instance(submitted.attempt, attempt, task.task, task.request.seed, record)
        verified = ev.Verified(
            attempt=submitted.attempt,
            task=submitted.task,
            verification=verification,
            second_instance=second,
            majority_key=self._ports.domain.normal_form(submitted.solution.answer),
        )
        return [NewEvent(self._ports.stream("attempt", submitted.attempt), verified)]

    async def _second_instance(
        self, name: str, attempt: AttemptState, task: Task, seed: int, record: Record
    ) -> bool | None:
        """Whether the attempt's one call gives the right answer for other parameters; None where it can't be told."""
        if len(attempt.calls) != 1:
            return None
        tool, text = attempt.calls[0]
        ports = self._ports
        moved = ports.domain.second_instance(task, text, random.Random(derive_seed(seed, "second instance")))
        if moved is None:
            return None
        other, code = moved
        stream = ports.stream("attempt", name)
        requested = tool_requested(ports, _free_call(ports, name, "s"), name, tool, code, "second_instance")
        await record([NewEvent(stream, requested)])
        result, called = await call_tool(ports, stream, requested)
        await record([called])
        judged = await judge(ports, name, result.output.strip(), other, record)
        return result.status == "ok" and judged.correct is True


async def judge(ports: Ports, name: str, answer: str | None, task: Task, record: Record) -> Verification:
    """The verifier's judgement; the symbolic part of it runs in the sandbox and is in the log."""
    judged = ports.domain.judge(answer, task)
    if not isinstance(judged, NeedsSymbolic):
        return judged
    stream = ports.stream("attempt", name)
    requested = tool_requested(ports, _free_call(ports, name, "v"), name, "python", judged.code, "verification")
    await record([NewEvent(stream, requested)])
    result, called = await call_tool(ports, stream, requested)
    await record([called])
    return ports.domain.judge_symbolic(result.output if result.status == "ok" else "", answer, task)


def _free_call(ports: Ports, name: str, kind: str) -> str:
    """A name for the verifier's call that the log does not know: `12/3#s`, or `12/3#s2` after a crash in the first."""
    stream = ports.log.read(stream=ports.stream("attempt", name), types=["ToolRequested"])
    count = sum(isinstance(r.event, ev.ToolRequested) and f"#{kind}" in r.event.call for r in stream)
    return f"{name}#{kind}{count + 1 if count else ''}"
