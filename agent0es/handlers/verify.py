"""verify: the task domain's verifier judges each solution; what must run, runs in the sandbox.

A correct solution's code is also tried on a second instance of the family: code that is right by luck, such as
`n % 2 == 1`, is not worth learning from.
"""

import random
from collections.abc import Sequence
from typing import Protocol

from agent0es.domain import events as ev
from agent0es.domain.run import AttemptState, RunState
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Submission, Task, Verification
from agent0es.errors import TransientError
from agent0es.handlers.attempt import call_tool, tool_requested
from agent0es.handlers.base import Ports, Record
from agent0es.handlers.retry import described
from agent0es.log import NewEvent, Recorded
from agent0es.taskdomains.base import NeedsCall, TaskDomain
from agent0es.tools.base import ToolResult

KINDS: dict[ev.ToolPurpose, str] = {"verification": "v", "second_instance": "s", "reference": "r", "repetition": "d"}
"""Letter in the names of the verifier's calls."""


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


class Call(Protocol):
    """Runs a tool, or looks up the result of an earlier run."""

    async def __call__(self, needed: NeedsCall, purpose: ev.ToolPurpose) -> ToolResult: ...


async def decide(
    submitted: ev.SolutionSubmitted, attempt: AttemptState, task: Task, seed: int, domain: TaskDomain, call: Call
) -> ev.Verified:
    """The judgement of an attempt at a task whose request had `seed`. Pure but for `call`."""
    submission = Submission(submitted.solution.answer, attempt.files)
    verification = await judged(domain, submission, task, call)
    second = None
    if verification.correct is True:
        second = await second_instance(attempt, task, seed, domain, call)
    return ev.Verified(
        attempt=submitted.attempt,
        task=submitted.task,
        verification=verification,
        second_instance=second,
        majority_key=domain.normal_form(submission.answer),
    )


async def judged(domain: TaskDomain, submission: Submission, task: Task, call: Call) -> Verification:
    """The verifier's judgement. Pure but for `call`, which runs what it needs run."""
    found = domain.judge(submission, task)
    if not isinstance(found, NeedsCall):
        return found
    result = await call(found, "verification")
    return domain.conclude(result.status, result.output, submission, task)


async def second_instance(attempt: AttemptState, task: Task, seed: int, domain: TaskDomain, call: Call) -> bool | None:
    """Whether the attempt's one call gives the right answer for other parameters; None where it can't be told."""
    if len(attempt.calls) != 1:
        return None
    tool, text = attempt.calls[0]
    moved = domain.second_instance(task, text, random.Random(derive_seed(seed, "second instance")))
    if moved is None:
        return None
    other, code = moved
    result = await call(NeedsCall(tool, code, other.files), "second_instance")
    found = await judged(domain, Submission(result.output.strip()), other, call)
    return result.status == "ok" and found.correct is True


async def judge(ports: Ports, name: str, submission: Submission, task: Task, record: Record) -> Verification:
    """The verifier's judgement of an answer that stands in no task's state: the sandbox runs what must run."""
    return await judged(ports.domains[task.domain], submission, task, sandbox_call(ports, task.domain, name, record))


def sandbox_call(ports: Ports, domain: str, name: str, record: Record) -> Call:
    """Calls in the sandbox on behalf of the verifier, each in the log before and after.

    One whose sandbox is gone is retried under another name.
    """
    stream = ports.stream("attempt", name)

    async def call(needed: NeedsCall, purpose: ev.ToolPurpose) -> ToolResult:
        called = ""

        async def once() -> ToolResult:
            nonlocal called
            called = _free_call(ports, name, KINDS[purpose])
            requested = tool_requested(ports, domain, called, name, needed, purpose)
            await record([NewEvent(stream, requested)])
            result, ended = await call_tool(ports, domain, stream, requested, needed.files)
            await record([ended])
            return result

        async def failed(retry: int, error: TransientError) -> None:
            number = name.split("/")[0]
            task = int(number) if number.isdigit() else None
            retried = ev.Retried(handler="verify", task=task, name=called, retry=retry, error=described(error))
            await record([NewEvent(ports.stream("run"), retried)])

        return await ports.retries(once, failed)

    return call


def _free_call(ports: Ports, name: str, kind: str) -> str:
    """A name for the verifier's call that the log does not know: `12/3#s`, or `12/3#s2` after one that was cut off."""
    stream = ports.history.read(stream=("attempt", name), types=["ToolRequested"])
    count = sum(isinstance(r.event, ev.ToolRequested) and f"#{kind}" in r.event.call for r in stream)
    return f"{name}#{kind}{count + 1 if count else ''}"
