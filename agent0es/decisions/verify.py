"""How an answer is judged: by the task domain's verifier, and what must run is run by the caller.

A correct solution's code is also tried on a second instance of the family: code that is right by luck, such as
`n % 2 == 1`, is not worth learning from.
"""

import random
from typing import Protocol

from agent0es.domain import events as ev
from agent0es.domain.run import AttemptState
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Submission, Task, Verification
from agent0es.taskdomains.base import NeedsCall, TaskDomain
from agent0es.tools.base import ToolResult


class Call(Protocol):
    """Runs a tool, or looks up the result of an earlier run."""

    async def __call__(self, needed: NeedsCall, purpose: ev.ToolPurpose) -> ToolResult: ...


async def decide(
    submitted: ev.SolutionSubmitted, attempt: AttemptState, task: Task, seed: int, domain: TaskDomain, call: Call
) -> ev.Verified:
    """The judgement of an attempt at a task whose request had `seed`."""
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


async def held_out(name: str, submission: Submission, problem: Task, domain: TaskDomain, call: Call) -> ev.Verified:
    """The judgement of an attempt at a held-out problem, which has no second instance."""
    return ev.Verified(
        attempt=name,
        task=None,
        verification=await judged(domain, submission, problem, call),
        second_instance=None,
        majority_key=domain.normal_form(submission.answer),
    )


async def judged(domain: TaskDomain, submission: Submission, task: Task, call: Call) -> Verification:
    """The verifier's judgement."""
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
