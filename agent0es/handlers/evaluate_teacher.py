"""evaluate_teacher: how often a teacher, unaided by a JSON schema, writes a proposal that can be used.

Arms and problems are as in `evaluate`; a problem is a request for one of three practised families, in the words of
practice. But nothing keeps the model to the schema: else the engine would pass the examination, and not the model.
"""

import asyncio
from collections.abc import Sequence

from agent0es.agents import teacher
from agent0es.configuration import Configuration
from agent0es.crash_points import reach
from agent0es.decisions.attempt import model_called
from agent0es.decisions.evaluate import adapter_arms, comparable, evaluated, known_outcomes
from agent0es.decisions.evaluate_teacher import BASE_ARMS, FEW_SHOT, KIND, PROBES, arms_of, judged, probes, problems
from agent0es.domain import events as ev
from agent0es.domain.names import Examined, stream
from agent0es.domain.run import RunState
from agent0es.domain.seeds import derive_seed
from agent0es.errors import TransientError
from agent0es.handlers.base import Record
from agent0es.handlers.serving import Serving
from agent0es.log import History, NewEvent, Recorded
from agent0es.models.base import GenerationRequest, ModelBackend
from agent0es.rollouts.retry import Retries, described
from agent0es.taskdomains import Domains


class EvaluateTeacher:
    """The proposals of all arms, then AdapterEvaluated."""

    name = "evaluate_teacher"
    causes = frozenset({ev.AdapterTrained})
    concurrency = 1

    def __init__(
        self,
        run: str,
        history: History,
        configuration: Configuration,
        domains: Domains,
        teacher: ModelBackend,
        retries: Retries,
        serving: Serving,
    ) -> None:
        self._run = run
        self._configuration = configuration
        self._domains = domains
        self._teacher = teacher
        self._retries = retries
        self._serving = serving
        self._slots = asyncio.Semaphore(1 if configuration.execution.deterministic else PROBES)
        self._requests = probes(domains, configuration.seed)
        self._asked = comparable(history, configuration)

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        trained = cause.event
        assert isinstance(trained, ev.AdapterTrained)
        if trained.role != "teacher":
            return []
        arms = arms_of(adapter_arms(state, trained))
        known = known_outcomes(self._asked, KIND)
        to_ask = {arm: [number for number in range(PROBES) if number not in known.get(arm, {})] for arm in arms}
        asked_adapters = [arm for arm, missing in to_ask.items() if missing and arm not in BASE_ARMS]
        await self._serving.serve(state, [trained.adapter, *asked_adapters], record)
        outcomes = {}
        for arm, missing in to_ask.items():
            done = known.get(arm, {})
            async with asyncio.TaskGroup() as group:
                asked = {number: group.create_task(self._answer(arm, number, record)) for number in missing}
            outcomes[arm] = {**done, **{number: task.result() for number, task in asked.items()}}
        reach("evaluation.answered")
        seed = derive_seed(self._configuration.seed, "bootstrap")
        scored = evaluated(trained, {"practised": problems(self._requests)}, {"practised": outcomes}, seed)
        return [NewEvent(stream("adapter", self._run, trained.adapter), scored)]

    async def _answer(self, arm: str, number: int, record: Record) -> bool:
        """One proposal, retried when the model fails: until the model has answered, the log has nothing of it."""
        name = str(Examined(KIND, arm, number))

        async def failed(retry: int, error: TransientError) -> None:
            retried = ev.Retried(handler=self.name, task=None, name=name, retry=retry, error=described(error))
            await record([NewEvent(stream("run", self._run), retried, error.measured)])

        async with self._slots:
            return await self._retries(lambda: self._propose(arm, number, record), failed)

    async def _propose(self, arm: str, number: int, record: Record) -> bool:
        """One proposal; whether it can be used."""
        settings, request = self._configuration.models.teacher, self._requests[number]
        model, name = self._teacher, str(Examined(KIND, arm, number))
        adapter, domain = None if arm in BASE_ARMS else arm, self._domains[request.domain]
        turns = teacher.few_shot(domain, self._configuration.seed) if arm == FEW_SHOT else teacher.zero_shot(domain)
        words, schema = teacher.request_text(request.families), teacher.schema(domain, request.families)
        prompt = teacher.asking(turns, teacher.in_full(words, schema, model.capabilities.structured_output))
        generation = GenerationRequest(
            messages=prompt.messages,
            shared=len(prompt.opening),
            max_tokens=settings.max_tokens,
            temperature=0.0,
            stop=settings.stop,
            seed=request.seed,
        )
        [completion] = await model.generate([generation], adapter=adapter)
        called = model_called(generation, completion, prompt, role="teacher", task=None, attempt=name)
        verified = judged(domain, request, completion.text, name)
        own = stream("attempt", self._run, name)
        await record([NewEvent(own, called, completion.measured), NewEvent(own, verified)])
        return verified.verification.correct is True
