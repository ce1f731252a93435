"""Recompute which of a teacher's proposals became tasks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent0es.configuration import Configuration
from agent0es.decisions import propose
from agent0es.decisions.freeform import read_freeform
from agent0es.domain import events as ev
from agent0es.domain.names import Draft
from agent0es.domain.run import RunState
from agent0es.domain.task import Task
from agent0es.evaluation.suite import HeldOut
from agent0es.history.attempts import RecordedCalls
from agent0es.history.novelties import Novelties
from agent0es.taskdomains import Domains


@dataclass(slots=True)
class _Open:
    """A task without a proposal that was accepted."""

    request: ev.TaskRequested
    state: RunState
    """As of the request."""
    refused: int = 0
    """Proposals for it that were refused."""
    text: str | None = None
    """What the teacher wrote last."""
    drafts: dict[str, RecordedCalls] = field(default_factory=dict)
    """Calls that check what it wrote freely, by name of the draft."""


class Proposals:
    """What is known of a run's proposals at a place in its history."""

    def __init__(
        self, configuration: Configuration, domains: Domains, problems: Sequence[HeldOut], novelties: Novelties | None
    ) -> None:
        self._configuration = configuration
        self._domains = domains
        self._novelties = novelties
        self._problems = problems
        self._asked = propose.held_out(problems, configuration.evaluation)
        """Problems that may not be proposed (`propose.identity`)."""
        self._open: dict[int, _Open] = {}

    async def remember(self, event: ev.Event, state: RunState) -> None:
        """Take in one event; `state` is the fold up to and including it."""
        match event:
            case ev.TaskRequested():
                self._open[event.task] = _Open(event, state)
            case ev.ModelCalled(role="teacher", task=int() as task) if task in self._open:
                self._open[task].text = event.text
            case ev.TaskProposed():
                self._asked.add(propose.identity(event.proposal))
                self._open.pop(event.task, None)
                if self._novelties is not None:
                    await self._novelties.add(event.task, event.proposal.description)
            case ev.ProposalRejected() if event.task in self._open:
                self._open[event.task].refused += 1
                if event.tries_left == 0:
                    del self._open[event.task]
            case ev.HandlerFailed(task=int() as task):
                self._open.pop(task, None)
            case _:
                pass

    def calls(self, draft: Draft) -> RecordedCalls:
        """The calls that check a freeform proposal."""
        known = self._open.get(draft.task)
        return RecordedCalls() if known is None else known.drafts.setdefault(str(draft), RecordedCalls())

    async def expected(self, recorded: ev.TaskProposed | ev.ProposalRejected) -> ev.Event | None:
        """The task that the teacher's last words describe, or why they describe none; None when it wrote nothing.

        Raises MissingCall.
        """
        known = self._open.get(recorded.task)
        if known is None or known.text is None:
            return None
        requested, text = known.request, known.text
        left = max(0, self._configuration.curriculum.proposal_tries - known.refused - 1)
        domain = self._domains[requested.domain]
        if requested.source == "freeform":
            read = await read_freeform(domain, requested, text, self.calls(Draft(recorded.task, known.refused)))
        else:
            read = propose.read_task(domain, requested, text, known.refused)
        if not isinstance(read, Task):
            return propose.rejected(requested, read, text, left)
        if isinstance(recorded, ev.ProposalRejected) and recorded.novelty is not None:
            # Others may have been accepted between the decision and its place in the log, which lowers novelty only.
            true = recorded.novelty
            if self._novelties is not None:
                true = min(true, (await self._novelties.of(read.description))[0])
            if true < requested.novelty_bar:
                return propose.rejected(requested, propose.not_novel(recorded.novelty, requested), text, left)
        elif propose.is_known(read, self._asked) or propose.is_retold(
            read, self._problems, self._configuration.evaluation
        ):
            return propose.rejected(requested, propose.DUPLICATE, text, left)
        novelty, nearest = 1.0, None
        if isinstance(recorded, ev.TaskProposed):
            novelty, nearest = recorded.novelty, recorded.nearest
            if self._novelties is not None:
                novelty, nearest = await self._novelties.confirm(read.description, novelty, nearest)
            if novelty < requested.novelty_bar:
                return propose.rejected(requested, propose.not_novel(novelty, requested), text, left)
        return propose.accepted(read, requested, known.state, self._configuration, novelty, nearest)
