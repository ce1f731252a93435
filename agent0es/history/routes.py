"""Recompute what the router decided from the log: whom to ask, whose answer to take, and how sure it was.

What was looked up for a decision (neighbours, counts of judged answers, means of cost and time) is taken as the event
has it; all that follows from it is made again. What a route cost was measured and is no decision.
"""

from dataclasses import dataclass, field
from functools import cache

from agent0es.configuration import Configuration, parse_configuration
from agent0es.decisions import route as decisions
from agent0es.decisions import verify
from agent0es.decisions.route import Route, Seen
from agent0es.domain import events as ev
from agent0es.domain.names import ROUTES, Routed, read_attempt
from agent0es.domain.task import Submission, Task
from agent0es.history.attempts import Attempt, MissingCall, RecordedCalls
from agent0es.history.measurements import compare
from agent0es.history.verification import Report
from agent0es.log import EventLog, Recorded
from agent0es.router.base import Signals, load_signals
from agent0es.taskdomains import TaskDomain, load_task_domain
from agent0es.tools.policy import settings_in

KINDS: dict[type[ev.Event], str] = {
    ev.RouteDecided: "choices",
    ev.SolutionSubmitted: "solutions",
    ev.Verified: "verifications",
    ev.RouteAnswered: "answers",
    ev.RouteFailed: "failures",
}
"""What is decided, to what it is called in a report."""


async def verify_routes(log: EventLog) -> Report:
    """Check all that the router did in a store; the report has the first difference.

    Raises ConfigurationError where a signal or a task domain that was used is not installed.
    """
    report = Report(ROUTES)
    reused = (one.event for one in log.read(run=ROUTES, types=["AttemptsReused"]))
    kept = frozenset(name for event in reused if isinstance(event, ev.AttemptsReused) for name in event.attempts)
    await compare(report, log.read(run=ROUTES), KINDS, _Check(kept))
    return report


@dataclass(slots=True)
class _Seen:
    """What is known of an attempt."""

    attempt: Attempt
    calls: RecordedCalls = field(default_factory=RecordedCalls)
    events: list[ev.Event] = field(default_factory=list)
    answer: str | None = None


@dataclass(slots=True)
class _Open:
    """A question that has not ended."""

    route: Route
    configuration: Configuration
    signals: Signals
    attempts: dict[str, _Seen] = field(default_factory=dict)
    decided: ev.RouteDecided | None = None

    @property
    def posed(self) -> Task:
        return self.route.asked.posed

    @property
    def domain(self) -> TaskDomain:
        return _domain(self.posed.domain)

    def up_to_now(self) -> Route:
        """The route after its last decision and what came of it."""
        if self.decided is None:
            return self.route
        own = sorted((name for name in self.attempts if _is_of(name, self.decided.candidate)), key=_number)
        drafts = [decisions.draft_of(self.attempts[name].events) for name in own]
        return decisions.after(self.route, self.decided, [draft for draft in drafts if draft is not None])


class _Check:
    def __init__(self, kept: frozenset[str]) -> None:
        """`kept` are attempts that another route reuses."""
        self._kept = kept
        self._made: dict[str, _Seen] = {}
        self._open: dict[str, _Open] = {}
        self._answers: dict[str, ev.RouteAnswered] = {}

    async def expected(self, recorded: Recorded) -> ev.Event | None:
        """What an event should be, from those before it. Raises MissingCall."""
        match event := recorded.event:
            case ev.RouteDecided():
                return self._choice(event)
            case ev.RouteAnswered() | ev.RouteFailed():
                return self._end(event)
            case ev.SolutionSubmitted():
                opened, seen = self._of(event.attempt)
                asks = [signal.question for signal in opened.signals.values() if signal.question is not None]
                return seen.attempt.expected_solution(event, ()) if not asks else event
            case ev.Verified():
                opened, seen = self._of(event.attempt)
                if not opened.posed.reference:
                    return decisions.undecided(event.attempt, opened.domain.normal_form(seen.answer))
                submission = Submission(seen.answer, seen.attempt.files)
                return await verify.held_out(event.attempt, submission, opened.posed, opened.domain, seen.calls)
            case _:
                return None

    def _choice(self, event: ev.RouteDecided) -> ev.RouteDecided | None:
        opened = self._open.get(event.route)
        if opened is None:
            return None
        seen = Seen(
            tuple(decisions.by_history(one) for one in event.candidates),
            None if event.cached is None else self._answers.get(event.cached),
            event.neighbours,
            None if opened.configuration.router.mean_cost is None else event.threshold,
            alone=event.sure is None and event.predicted is not None,
        )
        return decisions.decide(opened.up_to_now(), seen, opened.configuration.router, opened.signals)

    def _end(self, event: ev.RouteAnswered | ev.RouteFailed) -> ev.Event | None:
        opened = self._open.get(event.route)
        if opened is None or opened.decided is None:
            return None
        called = {
            name: (one.model, one.adapter)
            for name, seen in opened.attempts.items()
            for one in seen.events
            if isinstance(one, ev.ModelCalled)
        }
        cached = None if opened.decided.cached is None else self._answers.get(opened.decided.cached)
        return decisions.ended(opened.route, opened.decided, Seen((), cached), called, event.cost_usd)

    def remember(self, recorded: Recorded) -> None:
        """What later decisions need."""
        event = recorded.event
        match event:
            case ev.RouteAsked():
                configuration = _configuration(event.configuration)
                signals = _signals(tuple(configuration.router.signals))
                self._open[event.route] = _Open(Route(event), configuration, signals)
            case ev.RouteDecided():
                opened = self._open[event.route]
                opened.route, opened.decided = opened.up_to_now(), event
            case ev.RouteAnswered() | ev.RouteFailed():
                del self._open[event.route]
                if isinstance(event, ev.RouteAnswered):
                    self._answers.setdefault(event.cached or event.route, event)
            case ev.AttemptStarted():
                opened = self._open[_route(event.attempt)]
                seen = opened.attempts[event.attempt] = _Seen(Attempt(event, files=opened.posed.files))
                if event.attempt in self._kept:
                    self._made[event.attempt] = seen
            case ev.AttemptsReused():
                reused = {name: self._made[name] for name in event.attempts if name in self._made}
                self._open[event.route].attempts |= reused
            case ev.ModelCalled() | ev.Reflected() | ev.SolutionSubmitted() | ev.Verified():
                if event.attempt is not None:
                    self._add(event.attempt, event)
            case ev.ToolRequested() if event.purpose != "solution":
                self._of(event.attempt)[1].calls.asked[event.call] = event
            case ev.ToolCalled():
                opened, seen = self._of(event.attempt)
                if event.call in seen.calls.asked:
                    seen.calls.answered[event.call] = event
                else:
                    seen.attempt.observe(event, settings_in(opened.configuration.tools, *_tools(opened.domain)))
            case _:
                pass

    def _add(self, attempt: str, event: ev.Event) -> None:
        opened, seen = self._of(attempt)
        seen.events.append(event)
        if isinstance(event, ev.SolutionSubmitted):
            seen.answer = event.solution.answer
        if isinstance(event, ev.ModelCalled) and event.question is None:
            router, tools = opened.configuration.router, opened.configuration.tools
            student = router.cloud if _is_of(attempt, "cloud") and router.cloud is not None else router.local
            if seen.attempt.transcript is None:
                seen.attempt.expected_prompt(event, settings_in(tools, *_tools(opened.domain)), student)
            seen.attempt.read(event)

    def _of(self, attempt: str) -> tuple[_Open, _Seen]:
        """The question of an attempt, and what is known of it. Raises MissingCall for an attempt that never began."""
        opened = self._open.get(_route(attempt))
        if opened is None or attempt not in opened.attempts:
            raise MissingCall(f"the beginning of attempt {attempt}")
        return opened, opened.attempts[attempt]


def _route(attempt: str) -> str:
    named = read_attempt(attempt)
    return named.route if isinstance(named, Routed) else ""


def _number(attempt: str) -> int:
    named = read_attempt(attempt)
    return named.number if isinstance(named, Routed) else 0


def _is_of(attempt: str, candidate: str | None) -> bool:
    named = read_attempt(attempt)
    return isinstance(named, Routed) and named.candidate == candidate


def _tools(domain: TaskDomain) -> tuple[tuple[str, ...], int]:
    return domain.tools, domain.calls_per_attempt


@cache
def _domain(name: str) -> TaskDomain:
    return load_task_domain(name)


@cache
def _configuration(text: str) -> Configuration:
    import json

    return parse_configuration(json.loads(text), "the router's question")


@cache
def _signals(names: tuple[str, ...]) -> Signals:
    return load_signals(names)
