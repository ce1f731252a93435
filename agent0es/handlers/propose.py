"""propose: the teacher model names a family and its parameters; the family computes the answer.

The novelty index is a projection of the TaskProposed events before this one, held in memory.
"""

import asyncio
from collections.abc import Sequence

from agent0es.agents import teacher
from agent0es.configuration import Configuration
from agent0es.decisions import propose
from agent0es.decisions.attempt import model_called
from agent0es.decisions.freeform import Refusal, read_freeform
from agent0es.domain import events as ev
from agent0es.domain.curriculum import offer
from agent0es.domain.names import Draft, stream
from agent0es.domain.run import RunState
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Task
from agent0es.evaluation.suite import suite
from agent0es.handlers.base import Record
from agent0es.log import History, NewEvent, Recorded
from agent0es.models.base import Completion, GenerationRequest, ModelBackend
from agent0es.models.embedder import Embedder
from agent0es.projections.novelty import NoveltyIndex
from agent0es.rollouts.toolbox import Limits
from agent0es.rollouts.verifying import VerifierCalls
from agent0es.taskdomains import Domains


class Propose:
    """ModelCalled, then TaskProposed or ProposalRejected."""

    name = "propose"
    causes = frozenset({ev.TaskRequested})

    def __init__(
        self,
        run: str,
        history: History,
        configuration: Configuration,
        domains: Domains,
        teacher_model: ModelBackend,
        embedder: Embedder,
        calls: VerifierCalls,
    ) -> None:
        self._run = run
        self._history = history
        self._configuration = configuration
        self._domains = domains
        self._model = teacher_model
        self._embedder = embedder
        self._calls = calls
        self.concurrency = configuration.execution.tasks_in_flight
        self._index: NoveltyIndex | None = None
        self._problems = suite(domains, configuration.evaluation, configuration.seed)
        self._asked = propose.held_out(self._problems, configuration.evaluation)
        """Problems that may not be proposed: those of the evaluation, and those that were asked before."""
        self._building = asyncio.Lock()
        self._few_shot = {name: teacher.few_shot(domain, configuration.seed) for name, domain in domains.items()}

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        requested = cause.event
        assert isinstance(requested, ev.TaskRequested)
        tries = self._configuration.curriculum.proposal_tries
        own = stream("task", self._run, requested.task)
        begun = sum(1 for _ in self._history.read(stream=("task", requested.task), types=["ProposalRejected"]))
        tries = max(tries, begun + 1)  # a fork may allow fewer than its parent made
        for attempt in range(begun, tries):
            called, completion = await self._ask(requested, state, attempt)
            text = completion.text
            events = [NewEvent(own, called, completion.measured)]
            domain = self._domains[requested.domain]
            if requested.source == "freeform":
                await record(events)
                events = []
                limits = Limits.of(domain, self._configuration.tools)
                call = self._calls.of(str(Draft(requested.task, attempt)), limits, record)
                read = await read_freeform(domain, requested, text, call)
            else:
                read = propose.read_task(domain, requested, text, attempt)
            refusal = read if not isinstance(read, Task) else await self._accept(read, requested, state, record, events)
            if refusal is None:
                return []
            events.append(NewEvent(own, propose.rejected(requested, refusal, text, tries - attempt - 1)))
            if attempt == tries - 1:
                return events
            await record(events)
        return []

    async def _ask(
        self, requested: ev.TaskRequested, state: RunState, attempt: int
    ) -> tuple[ev.ModelCalled, Completion]:
        """One proposal of the model."""
        settings, model, adapter = self._configuration.models.teacher, self._model, state.serving["teacher"]
        domain = self._domains[requested.domain]
        if requested.source == "freeform" and domain.freeform is not None:
            [difficulty] = requested.families.values()
            turns = teacher.freeform_few_shot(domain, self._configuration.seed)
            words = teacher.freeform_request(teacher.topic_of(domain, requested.seed), difficulty)
            schema = domain.freeform.schema()
        else:
            families = offer(requested)
            turns = teacher.zero_shot(domain) if adapter else self._few_shot[domain.name]
            words, schema = teacher.request_text(families), teacher.schema(domain, families)
        prompt = teacher.asking(turns, teacher.in_full(words, schema, model.capabilities.structured_output))
        request = GenerationRequest(
            messages=prompt.messages,
            shared=len(prompt.opening),
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
            top_p=settings.top_p,
            stop=settings.stop,
            seed=derive_seed(requested.seed, "proposal", attempt),
            json_schema=schema,
        )
        [completion] = await model.generate([request], adapter=adapter)
        called = model_called(request, completion, prompt, role="teacher", task=requested.task, attempt=None)
        return called, completion

    async def _accept(
        self, task: Task, requested: ev.TaskRequested, state: RunState, record: Record, events: list[NewEvent]
    ) -> Refusal | None:
        """Append TaskProposed, unless the task is not new.

        Nothing is awaited between the look into the index and the append, so that the novelty is that at the event's
        place in the log; the next proposals need not wait for the disk.
        """
        [vector] = await self._embedder.embed([task.description])
        index = await self._novelty()
        if propose.is_known(task, self._asked) or propose.is_retold(
            task, self._problems, self._configuration.evaluation
        ):
            return propose.DUPLICATE
        nearest = index.nearest(vector)
        novelty = propose.novelty_of(nearest)
        if novelty < requested.novelty_bar:
            return propose.not_novel(novelty, requested)
        index.add(requested.task, vector)
        self._asked.add(propose.identity(task))
        proposed = propose.accepted(
            task, requested, state, self._configuration, novelty, None if nearest is None else nearest[1]
        )
        await record([*events, NewEvent(stream("task", self._run, requested.task), proposed)], last=True)
        return None

    async def _novelty(self) -> NoveltyIndex:
        """The index over all tasks that the log holds; built once."""
        async with self._building:
            if self._index is None:
                earlier = [
                    r.event for r in self._history.read(types=["TaskProposed"]) if isinstance(r.event, ev.TaskProposed)
                ]
                vectors = await self._embedder.embed([event.proposal.description for event in earlier])
                self._asked.update(propose.identity(event.proposal) for event in earlier)
                self._index = NoveltyIndex.rebuild([event.task for event in earlier], vectors)
        return self._index
