"""Whether a task that the teacher wrote itself may be practised: its reference runs, twice to the same end, and the
verifier takes its answer and no other."""

import json
from typing import NamedTuple

from agent0es.agents.teacher import object_in
from agent0es.decisions.verify import Call, judged
from agent0es.domain import events as ev
from agent0es.domain.task import Submission, Task
from agent0es.domain.text import storable
from agent0es.taskdomains.base import Draft, Freeform, TaskDomain


class Refusal(NamedTuple):
    """Why a proposal can't be used."""

    reason: str
    """One of those of ProposalRejected."""
    detail: str
    novelty: float | None = None
    """Where it is the reason."""


async def read_freeform(domain: TaskDomain, requested: ev.TaskRequested, text: str, call: Call) -> Task | Refusal:
    """The task that the teacher described, or why there is none."""
    freeform = domain.freeform
    assert freeform is not None, "the schedule asks only for what the domain has"
    draft = read_draft(freeform, text)
    if not isinstance(draft, Draft):
        return draft
    result = await call(draft.reference, "reference")
    if result.status != "ok":
        return Refusal("reference_failed", f"{result.status}: {result.output[:200]}")
    again = await call(draft.reference, "repetition")
    if (again.status, again.output) != (result.status, result.output):
        return Refusal("not_deterministic", f"first {result.output[:80]!r}, then {again.output[:80]!r}")
    [difficulty] = requested.families.values()
    task = freeform.task(draft, result.output, difficulty)
    if not isinstance(task, Task):
        return Refusal("inconsistent", task)
    own = await judged(domain, Submission(freeform.answer(task)), task, call)
    if own.correct is not True:
        return Refusal(
            "inconsistent", f"the verifier does not take the reference's own answer: {own.explanation[:200]}"
        )
    for wrong in freeform.mutants(task):
        found = await judged(domain, Submission(wrong), task, call)
        if found.correct is not False:
            return Refusal("verifier_too_lax", f"{wrong[:80]!r} is not found wrong: {found.explanation[:200]}")
    return task


def read_draft(freeform: Freeform, text: str) -> Draft | Refusal:
    """The draft in the teacher's words."""
    try:
        fields = json.loads(object_in(text))
    except (ValueError, RecursionError):
        return Refusal("unreadable", "not JSON")
    if not isinstance(fields, dict) or any(not isinstance(fields.get(name), str) for name in freeform.fields):
        return Refusal("unreadable", f"not an object with the texts {', '.join(freeform.fields)}")
    fields = {name: storable(fields[name]) for name in freeform.fields}
    for name, most in freeform.fields.items():
        if not 0 < len(fields[name]) <= most:
            return Refusal("inconsistent", f"the {name} has {len(fields[name])} characters, of 1 to {most}")
    draft = freeform.draft(fields)
    return draft if isinstance(draft, Draft) else Refusal("inconsistent", draft)
