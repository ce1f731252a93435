"""The router at work: asks who was chosen, writes down what was decided and what came, and falls back.

The answer is an attempt. Nothing is decided here: `decisions/route.py` says what is done next, and again after each
step.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from weakref import WeakValueDictionary

from agent0es.agents.student_prompt import opening
from agent0es.configuration import Configuration
from agent0es.decisions import route as decisions
from agent0es.decisions.route import Route, Seen
from agent0es.decisions.spending import threshold_within
from agent0es.domain import events as ev
from agent0es.domain.names import ROUTES, Routed, read_stream, stream
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Task
from agent0es.errors import UserError
from agent0es.log import EventLog, NewEvent, Recorded
from agent0es.models.base import GenerationRequest, RequestRefused
from agent0es.models.embedder import Embedder
from agent0es.rollouts.answering import Answerer, Answering, OpenToolbox
from agent0es.router.base import DIGITS, Signals
from agent0es.router.budget import Budget, BudgetExhausted, Purse
from agent0es.router.latency import expected_seconds
from agent0es.router.memory import Memory
from agent0es.router.metered import why_unpriced

NEIGHBOURS = 8
"""Judged questions that are looked at."""
HANDLER = "router"
OnEvent = Callable[[Recorded], object]
Answerers = Mapping[ev.CandidateName, Answerer]
"""Who may answer, in order of cost."""
Candidates = Callable[[], AbstractContextManager[Answerers]]
"""Who may answer a question that is asked now; they stay open for as long as the block lasts."""


class NobodyAnswered(UserError):
    """No model could answer; the message says why of each."""

    def __init__(self, event: ev.RouteFailed, kind: Literal["budget", "refused", "unavailable"]) -> None:
        super().__init__(f"nobody could answer: {'; '.join(f'{name}: {why}' for name, why in event.failures.items())}")
        self.event = event
        self.kind: Literal["budget", "refused", "unavailable"] = kind
        """budget: one that could answer costs more than is left; refused: none takes such a question, it is too long
        say; unavailable: another try may do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of a question."""

    event: ev.RouteAnswered
    seconds: float
    """From the question to the answer, as the log has it."""


class Router:
    """Answers questions. Many may be asked at once, by many tasks of one event loop."""

    def __init__(
        self,
        log: EventLog,
        configuration: Configuration,
        candidates: Candidates,
        toolbox: OpenToolbox,
        memory: Memory,
        signals: Signals,
        embedder: Embedder,
        run: str | None = None,
    ) -> None:
        """`run` is on whose behalf is asked."""
        self._log, self._configuration, self._settings = log, configuration, configuration.router
        self._candidates = candidates
        self._toolbox, self._memory, self._signals, self._embedder = toolbox, memory, signals, embedder
        self._run = run
        self._budget = Budget(log, self._settings.budget, run)
        asks = [signal.question for signal in signals.values() if signal.question is not None]
        self._questions = tuple(dict.fromkeys(asks))
        self._said = configuration.without_secrets().model_dump_json()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._asking: set[str] = set()
        """Routes of this process that have not ended."""

    async def answer(self, posed: Task, on_event: OnEvent | None = None) -> Asked:
        """The answer to a question; `posed.reference` is empty where nobody knows it.

        Raises NobodyAnswered, in one line, and UserError for what no model mends: the store, the sandbox, a domain.
        """
        begin = time.perf_counter()
        with self._candidates() as of:
            asked = self._asked(posed, of)
            turn = self._turns.setdefault(asked.key, asyncio.Lock())
            self._asking.add(asked.route)
            try:
                async with (
                    turn if self._settings.cache_size else asyncio.Lock()
                ):  # who asks the same waits, and finds it
                    return await self._answer(asked, of, begin, on_event or (lambda recorded: None))
            finally:
                self._asking.discard(asked.route)

    @property
    def adapter(self) -> str | None:
        """The adapter that the local model answers with, and its run; None for the base model."""
        with self._candidates() as of:
            local = of["local"]
        return None if local.adapter is None else f"{local.adapter} of run {local.adapter_run}"

    @property
    def answerers(self) -> tuple[Answerer, ...]:
        """Who may answer, in order of cost."""
        with self._candidates() as of:
            return tuple(of.values())

    async def explain(self, posed: Task) -> ev.RouteDecided:
        """What would be done first with a question, and why. No model is asked, and nothing is written."""
        with self._candidates() as of:
            asked = self._asked(posed, of)
            cached = self._memory.answer(asked.key)
            neighbours = () if self._is_cached(cached, asked) else await self._neighbours(asked, of)
            seen = self._look(Route(asked), of, cached, {}, Purse(), neighbours)
            return decisions.decide(Route(asked), seen, self._settings, self._signals)

    async def _answer(self, asked: ev.RouteAsked, of: Answerers, begin: float, on_event: OnEvent) -> Asked:
        own = stream("route", ROUTES, asked.route)
        route, failures = Route(asked), dict[str, str]()
        pending = [NewEvent(own, asked)]

        async def record(events: Sequence[NewEvent]) -> list[Recorded]:
            appended = await self._log.append_async(events, handler=HANDLER)
            for one in appended:
                on_event(one)
            return appended

        answering = Answering(
            asked, self._log, self._configuration, self._toolbox, self._budget, self._questions, record
        )
        cached = self._memory.answer(asked.key)
        # Neighbours are needed after the drafts; while these are made the embedder may be loaded.
        looking: asyncio.Task[tuple[ev.Neighbour, ...]] | None = None
        early = self._settings.drafts > 0 or self._is_cached(cached, asked)
        while True:
            neighbours: tuple[ev.Neighbour, ...] = ()
            if route.steps or not early:
                looking = looking or asyncio.create_task(self._neighbours(asked, of))
                neighbours = await looking
            seen = self._look(route, of, None if route.steps else cached, failures, answering.purse, neighbours)
            decided = decisions.decide(route, seen, self._settings, self._signals)
            pending.append(NewEvent(own, decided))
            if decided.action == "ask":
                assert decided.candidate is not None, "somebody is asked"
                await record(pending)
                pending = []
                looking = looking or asyncio.create_task(self._neighbours(asked, of))
                made = self._made(asked, decided.candidate, decided.attempts)
                if made:
                    names = tuple(_attempt_of(events) for _, events in sorted(made.items()))
                    reused = ev.AttemptsReused(route=asked.route, candidate=decided.candidate, attempts=names)
                    await record([NewEvent(own, reused)])
                drafts, failed = await answering.ask(of[decided.candidate], decided.attempts, made)
                if failed is not None:
                    failures[decided.candidate] = failed
                route = decisions.after(route, decided, drafts)
                continue
            ended = decisions.ended(route, decided, seen, answering.answered_by, answering.purse.cost)
            seconds = round(time.perf_counter() - begin, 4)
            await record([*pending, NewEvent(own, ended, {"seconds": seconds})])
            if isinstance(ended, ev.RouteFailed):
                raise NobodyAnswered(ended, self._kind(answering, of))
            return Asked(ended, seconds)

    def _made(self, asked: ev.RouteAsked, candidate: ev.CandidateName, count: int) -> dict[int, list[Recorded]]:
        """The events of attempts at the same question that ended, of routes that did not, by number."""
        found: dict[int, list[Recorded]] = {}
        for route in self._memory.unfinished(asked.key):
            if route in self._asking:
                continue
            begun = next(self._log.read(stream=stream("route", ROUTES, route), limit=1)).event
            if not isinstance(begun, ev.RouteAsked) or begun.posed != asked.posed:
                continue  # whose answer was not known, or was another
            for number in range(count):
                name = stream("attempt", ROUTES, str(Routed(route, candidate, number)))
                events = list(self._log.read(stream=name))
                if decisions.draft_of(one.event for one in events) is not None:
                    found.setdefault(number, events)
        return found

    def _kind(self, answering: Answering, of: Answerers) -> Literal["budget", "refused", "unavailable"]:
        """What kept everybody from answering."""
        errors, purse = answering.errors, answering.purse
        spent = [one for one in of.values() if one.price is not None and one.name not in errors]
        if any(self._unaffordable(one, answering.asked.posed, purse) for one in spent):
            return "budget"
        if any(isinstance(error, BudgetExhausted) for error in errors.values()):
            return "budget"
        refused = [isinstance(errors.get(name), RequestRefused) for name in of]
        return "refused" if all(refused) else "unavailable"

    def _asked(self, posed: Task, of: Answerers) -> ev.RouteAsked:
        """The event of a question that is asked now. Raises ConfigurationError for an unknown domain."""
        candidates = tuple(self._candidate(one, posed) for one in of.values())
        return ev.RouteAsked(
            route=f"route-{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:8]}",
            posed=posed,
            key=decisions.key_of(posed.description, posed.domain, posed.files, candidates),
            seed=derive_seed(self._configuration.seed, "route", posed.domain, posed.description),
            run=self._run,
            candidates=candidates,
            configuration=self._said,
        )

    def _candidate(self, one: Answerer, posed: Task) -> ev.Candidate:
        said, shown = one.before(one.domain(posed.domain), posed.description)
        return ev.Candidate(
            name=one.name,
            model=one.model,
            adapter=one.adapter,
            adapter_run=one.adapter_run,
            prompt_sha256=decisions.prompt_sha256(said, shown),
            input_price=None if one.price is None else one.price.read,
            output_price=None if one.price is None else one.price.written,
        )

    def _is_cached(self, cached: ev.RouteAnswered | None, asked: ev.RouteAsked) -> bool:
        """Whether an answer in the cache is taken."""
        return cached is not None and decisions.is_taken(cached, asked, self._settings)

    def _look(
        self,
        route: Route,
        of: Answerers,
        cached: ev.RouteAnswered | None,
        failures: Mapping[str, str],
        purse: Purse,
        neighbours: tuple[ev.Neighbour, ...],
    ) -> Seen:
        """What is to be known before the next decision. Nothing of the candidates where the cache has the answer."""
        if self._is_cached(cached, route.asked):
            return Seen(tuple(decisions.nothing_expected(one.name) for one in of.values()), cached)
        expected = tuple(self._expected(one, route, neighbours, failures, purse) for one in of.values())
        return Seen(expected, cached, neighbours, self._threshold(route, of))

    def _threshold(self, route: Route, of: Answerers) -> float | None:
        """The highest one that keeps to the mean cost that was set; None where none was, or nobody costs more. What was
        never asked counts as the dearest that was."""
        bound, most = self._settings.mean_cost, self._settings.budget.per_request
        if bound is None or most is None or "cloud" not in of:
            return None
        found = self._memory.passed_on(of["local"].who, of["cloud"].who, route.asked.route)
        dearest = max((cost for _, cost in found if cost is not None), default=most)
        history = [(sure, min(most, dearest if cost is None else cost)) for sure, cost in found]
        return round(threshold_within(history, bound, most), DIGITS)

    def _expected(
        self,
        one: Answerer,
        route: Route,
        neighbours: tuple[ev.Neighbour, ...],
        failures: Mapping[str, str],
        purse: Purse,
    ) -> ev.Expected:
        judged, asked = self._memory.judged(one.who, route.asked.route), route.asked.posed
        seconds = expected_seconds(self._memory.timed(one.who), asked.domain, len(asked.description))
        if one.name == "local":
            right, of = decisions.like_this(route, neighbours, judged, self._settings, self._signals)
        else:
            same = [answer.correct for answer in judged if answer.domain == route.asked.posed.domain]
            right, of = sum(same), len(same)
        free = one.price is not None and one.price.is_nothing
        counted = ev.Expected(
            name=one.name,
            quality=None,
            basis=None,
            right=right,
            of=of,
            cost_usd=0.0 if free else self._memory.cost(one.who),
            seconds=None if seconds is None else round(seconds, 3),
            unavailable=failures.get(one.name) or self._unaffordable(one, route.asked.posed, purse),
        )
        return decisions.by_history(counted)

    def _unaffordable(self, one: Answerer, posed: Task, purse: Purse) -> str | None:
        """Why the budget does not allow even its first request; None where it does."""
        if one.price is None:
            return why_unpriced(one.name) if self._budget.is_set else None
        if one.price.is_nothing or not self._budget.is_set:
            return None
        said, shown = one.before(one.domain(posed.domain), posed.description)
        prompt = opening(said.system, shown, posed.description, guide=said.guide)
        first = GenerationRequest(prompt.messages, one.settings.max_tokens)
        return self._budget.why_not(one.price.most(first), purse)

    async def _neighbours(self, asked: ev.RouteAsked, of: Answerers) -> tuple[ev.Neighbour, ...]:
        """The local model's judged questions most like this one, nearest first. Without any no embedder is loaded."""
        if not any(signal.looks_back for signal in self._signals.values()):
            return ()
        judged = self._memory.judged(of["local"].who, asked.route)
        if not judged:
            return ()
        vectors = await self._embedder.embed([asked.posed.description, *(one.question for one in judged)])
        near = vectors[1:] @ vectors[0]
        order = sorted(range(len(judged)), key=lambda place: (-float(near[place]), place))[:NEIGHBOURS]
        return tuple(
            ev.Neighbour(
                attempt=judged[place].attempt, similarity=round(float(near[place]), 4), correct=judged[place].correct
            )
            for place in order
        )


def _attempt_of(events: Sequence[Recorded]) -> str:
    """The attempt that these are of."""
    found = read_stream(events[0].stream)
    assert found is not None, "it was read from its stream"
    return found.name
