"""Who may answer a question, and the attempts that come of asking one of them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent0es.agents.likeness import Shelf, as_read
from agent0es.agents.student_prompt import lead, told
from agent0es.configuration import Configuration, RoutedModelSettings
from agent0es.configuration.secrets import text_without_secrets
from agent0es.crash_points import reach
from agent0es.decisions import route as decisions
from agent0es.decisions.verify import held_out
from agent0es.domain import events as ev
from agent0es.domain.names import ROUTES, Routed, stream
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Question, Submission
from agent0es.domain.text import storable
from agent0es.errors import Agent0Error, LogError, SandboxUnavailable, StoreError
from agent0es.log import EventLog, History, NewEvent, Recorded
from agent0es.models.base import ModelBackend
from agent0es.rollouts.executor import InProcess
from agent0es.rollouts.retry import Retries
from agent0es.rollouts.rollout import Problem, Rollout, Student
from agent0es.rollouts.toolbox import Limits, Toolbox
from agent0es.rollouts.verifying import VerifierCalls
from agent0es.router.base import Draft
from agent0es.router.budget import Budget, Purse
from agent0es.router.memory import who
from agent0es.router.metered import Metered, Price
from agent0es.taskdomains import TaskDomain
from agent0es.taskdomains.base import Demonstration, Told

PASS_ON = (StoreError, LogError, SandboxUnavailable)
"""Errors that no other model mends."""
OpenToolbox = Callable[[TaskDomain], Awaitable[Toolbox]]
Record = Callable[[Sequence[NewEvent]], Awaitable[list[Recorded]]]


@dataclass(frozen=True, slots=True)
class Answerer:
    """A candidate as this process can ask it. Nothing is open before `open`."""

    name: ev.CandidateName
    settings: RoutedModelSettings
    model: str
    """The model's name."""
    adapter: str | None
    adapter_run: str | None
    price: Price | None
    """None where nobody knows it."""
    domain: Callable[[str], TaskDomain]
    """A task domain as this model is told of it. Raises ConfigurationError."""
    shelf: Callable[[str], Shelf]
    """The worked examples of a task domain."""
    open: Callable[[], Awaitable[ModelBackend]]
    """The model, with its adapter deployed. Raises Agent0Error."""

    def before(self, domain: TaskDomain, question: str) -> tuple[Told, tuple[Demonstration, ...]]:
        """What is said before a question."""
        count = 0 if self.adapter else self.settings.demonstrations
        shown = self.shelf(domain.name).like(question, count) if count else ()
        return told(domain, trained=self.adapter is not None), shown

    @property
    def who(self) -> str:
        return who(self.model, self.adapter, self.adapter_run)


@dataclass(frozen=True, slots=True)
class Answering:
    """Makes the attempts at one question."""

    asked: ev.RouteAsked
    log: EventLog
    configuration: Configuration
    toolbox: OpenToolbox
    budget: Budget
    questions: tuple[Question, ...]
    """What the local model is asked about each of its answers."""
    record: Record
    purse: Purse = field(default_factory=Purse)
    """What it has cost so far."""
    answered_by: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """Attempt to the model and the adapter that answered."""
    errors: dict[ev.CandidateName, Agent0Error] = field(default_factory=dict)
    """Candidate to the first error that it met; none for one that took too long."""
    ended: dict[str, Draft] = field(default_factory=dict)
    """Attempts that came to their end, by name."""

    async def ask(
        self, one: Answerer, count: int, made: Mapping[int, Sequence[Recorded]]
    ) -> tuple[list[Draft], str | None]:
        """The attempts of a candidate that came to an end, and why it can't be asked again; None where it could. `made`
        are those that an earlier route made, by number: they are not made again.

        Raises what no other model mends.
        """
        names = [str(Routed(self.asked.route, one.name, number)) for number in range(count)]
        for number, events in made.items():
            names[number] = self._reuse(one, events)
        missing = [number for number in range(count) if number not in made]
        failure = await self._make(one, missing) if missing else None
        drafts = [self.ended[name] for name in names if name in self.ended]
        return drafts, None if drafts else failure

    def _reuse(self, one: Answerer, events: Sequence[Recorded]) -> str:
        """Count an attempt of an earlier route, with what it cost. Returns its name."""
        called = [recorded for recorded in events if isinstance(recorded.event, ev.ModelCalled)]
        for recorded in called:
            cost = recorded.meta.measured.get("cost_usd")
            self.purse.unknown |= cost is None and one.price is None
            self.purse.spent += float(cost or 0.0)
        return self._end(recorded.event for recorded in events)

    def _end(self, events: Iterable[ev.Event]) -> str:
        """Note an attempt that has ended. Returns its name."""
        known = list(events)
        draft = decisions.draft_of(known)
        assert draft is not None, "it has ended"
        [*_, last] = [event for event in known if isinstance(event, ev.ModelCalled)]
        self.ended[draft.attempt], self.answered_by[draft.attempt] = draft, (last.model, last.adapter)
        return draft.attempt

    async def _make(self, one: Answerer, numbers: Sequence[int]) -> str | None:
        """Make attempts. Returns why one could not be made."""
        seconds = self.configuration.router.timeout_seconds
        failure: str | None = None
        domain = one.domain(self.asked.posed.domain)
        try:
            async with asyncio.timeout(seconds):
                model, toolbox = await one.open(), await self.toolbox(domain)
                metered = Metered(model, one.price, self.budget, self.asked.route, one.name, self.purse)
                executor = InProcess(metered, toolbox)
                attempts = [self._attempt(number, one, domain, executor) for number in numbers]
                for error in await asyncio.gather(*attempts, return_exceptions=True):
                    if isinstance(error, PASS_ON) or not isinstance(error, Agent0Error | None):
                        raise error
                    if error is not None and failure is None:
                        failure = _said(error, one.name)
                        self.errors[one.name] = error
        except TimeoutError:
            failure = f"gave no answer within {seconds:g} seconds (router.timeout_seconds)"
        except PASS_ON:
            raise
        except Agent0Error as error:
            failure = _said(error, one.name)
            self.errors[one.name] = error
        return failure

    async def _attempt(self, number: int, one: Answerer, domain: TaskDomain, executor: InProcess) -> None:
        """One attempt, judged where the answer is known."""
        name, posed = str(Routed(self.asked.route, one.name, number)), self.asked.posed
        said, shown = one.before(domain, posed.description)
        rollout = Rollout(
            stream=stream("attempt", ROUTES, name),
            problem=Problem(
                attempt=name,
                task=None,
                system=said.system,
                guide=said.guide,
                description=as_read(domain, posed.description),
                seed=derive_seed(self.asked.seed, one.name, number),
                files=posed.files,
                demonstrations=shown,
                lead=lead(shown),
            ),
            student=Student(one.adapter, one.settings, one.settings.temperature if number else 0.0),
            limits=Limits.of(domain, self.configuration.tools),
            questions=self.questions if one.name == "local" else (),
        )
        written: list[Recorded] = []

        async def keep(events: Sequence[NewEvent]) -> list[Recorded]:
            appended = await self.record(events)
            written.extend(appended)
            return appended

        attempted = await executor.run(rollout, keep)
        answer = attempted.solution.answer
        verified = decisions.undecided(name, domain.normal_form(answer))
        if posed.reference:
            calls = VerifierCalls(ROUTES, History(self.log, ()), executor.toolbox, Retries(0))
            call = calls.of(name, rollout.limits, keep)
            verified = await held_out(name, Submission(answer, attempted.files), posed, domain, call)
        submitted = ev.SolutionSubmitted(attempt=name, task=None, solution=attempted.solution)
        last = [NewEvent(rollout.stream, submitted, attempted.measured), NewEvent(rollout.stream, verified)]

        async def end() -> None:
            await keep([*attempted.pending, *last])
            self._end(recorded.event for recorded in written)
            reach("route.attempted")

        ending = asyncio.ensure_future(end())
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await ending  # what is in the log counts, also where time is up
            raise


def _said(error: Agent0Error, name: ev.CandidateName) -> str:
    """A failure as events hold it: in one line, without secrets, and with the keys of this candidate's settings."""
    said = text_without_secrets(str(error) or type(error).__name__).replace("models.<role>", f"router.{name}")
    return storable(" ".join(said.split()))
