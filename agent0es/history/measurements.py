"""Recompute an evaluation by itself from its log: solutions, judgements, and what they come to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from agent0es.agents.one_turn import answer_of
from agent0es.configuration import ToolsSettings, parse_configuration
from agent0es.decisions import measuring, verify
from agent0es.decisions.measuring import Answer
from agent0es.domain import events as ev
from agent0es.domain.names import problem_of
from agent0es.domain.task import Submission, Task
from agent0es.domain.workdir import changed
from agent0es.evaluation.problems import wants_function
from agent0es.history.attempts import Attempt, MissingCall, RecordedCalls
from agent0es.history.verification import Difference, Report
from agent0es.log import EventLog, History, Recorded
from agent0es.log.mapper import encode_content
from agent0es.taskdomains import Domains
from agent0es.tools.policy import settings_in


@dataclass(slots=True)
class _Seen:
    """What is known of an attempt."""

    answer: Answer
    files: Mapping[str, str]
    """What lies in the working directory."""
    calls: RecordedCalls = field(default_factory=RecordedCalls)
    attempt: Attempt | None = None
    """Of the format `tools`: its turns."""
    verified: ev.Verified | None = None
    """As it should be."""


async def verify_evaluation(log: EventLog, name: str, domains: Domains) -> Report:
    """Check an evaluation up to its latest event; the report has the first difference."""
    history, report = History.of(log, name), Report(name)
    await compare(report, history.read(), KINDS, _Check(history, domains))
    return report


KINDS: dict[type[ev.Event], str] = {
    ev.SolutionSubmitted: "solutions",
    ev.LenientlyJudged: "lenient readings",
    ev.Verified: "verifications",
    ev.EvaluationCompleted: "results",
}
"""What is decided, to what it is called in a report."""


class _Check:
    def __init__(self, history: History, domains: Domains) -> None:
        assert isinstance(history.started, ev.EvaluationStarted), "the name says so"
        self._history, self._domains = history, domains
        self._way = history.started.way
        self._configuration = parse_configuration(history.started.configuration, history.segments[-1].run)
        self._problems: dict[int, Task] = {}
        self._seen: dict[str, _Seen] = {}

    async def expected(self, recorded: Recorded) -> ev.Event | None:
        """What an event should be, from those before it. Raises MissingCall."""
        event = recorded.event
        if isinstance(event, ev.EvaluationCompleted):
            found = measuring.answers(self._history.read(types=measuring.TYPES, until=recorded.position))
            tasks = [self._problems[number] for number in range(event.problems)]
            return measuring.completed(tasks, found, self._way.samples)
        assert isinstance(event, ev.SolutionSubmitted | ev.LenientlyJudged | ev.Verified), "the kinds that are checked"
        seen, task = self._seen.get(event.attempt), self._task(event.attempt)
        if seen is None or task is None:
            return None
        if isinstance(event, ev.SolutionSubmitted):
            return self._solution(seen, event, recorded)
        domain = self._domains[task.domain]
        if seen.verified is None:
            submission = Submission(seen.answer.answer, seen.files)
            seen.verified = await verify.held_out(event.attempt, submission, task, domain, seen.calls)
        if isinstance(event, ev.Verified):
            return seen.verified
        return await measuring.leniently(self._way, seen.answer, seen.verified, task, domain, seen.calls)

    def _solution(self, seen: _Seen, event: ev.SolutionSubmitted, recorded: Recorded) -> ev.Event | None:
        """Of an attempt whose student could not be asked, nothing follows."""
        if "refused" in recorded.meta.measured:
            return event
        if seen.attempt is not None:
            return seen.attempt.expected_solution(event, ())
        task = self._task(event.attempt)
        assert task is not None, "it was looked at before"
        said = seen.answer
        answer = answer_of(self._way.format, wants_function(task), said.words, said.printed)
        return event.model_copy(update={"solution": event.solution.model_copy(update={"answer": answer})})

    def remember(self, recorded: Recorded) -> None:
        """What later decisions need."""
        event = recorded.event
        if isinstance(event, ev.ProblemAsked):
            self._problems[event.problem] = event.posed
        if isinstance(event, ev.AttemptStarted):
            task = self._task(event.attempt)
            files = {} if task is None else task.files
            attempt = Attempt(event, files=files) if self._way.format == "tools" else None
            self._seen[event.attempt] = _Seen(Answer(event.attempt), files, attempt=attempt)
        seen = self._seen.get(getattr(event, "attempt", None) or "")
        if seen is None:
            return
        seen.answer = measuring.after(seen.answer, recorded)
        match event:
            case ev.ModelCalled() if seen.attempt is not None:
                if seen.attempt.transcript is None:
                    student = self._configuration.models.student
                    seen.attempt.expected_prompt(event, self._tools(event.attempt), student)
                seen.attempt.read(event)
            case ev.ToolRequested() if event.purpose != "solution":
                seen.calls.asked[event.call] = event
            case ev.ToolCalled() if event.call in seen.calls.asked:
                seen.calls.answered[event.call] = event
            case ev.ToolCalled():
                seen.files = changed(seen.files, event.written, event.deleted)
                if seen.attempt is not None:
                    seen.attempt.observe(event, self._tools(event.attempt))
            case ev.Verified():
                del self._seen[event.attempt]
            case _:
                pass

    def _task(self, attempt: str) -> Task | None:
        number = problem_of(attempt, "eval")
        return None if number is None else self._problems.get(number)

    def _tools(self, attempt: str | None) -> ToolsSettings:
        task = self._task(attempt or "")
        assert task is not None, "an attempt that began is at a problem"
        domain = self._domains[task.domain]
        return settings_in(self._configuration.tools, domain.tools, domain.calls_per_attempt)


class Check(Protocol):
    """What recomputes a log event by event."""

    async def expected(self, recorded: Recorded) -> ev.Event | None:
        """What an event should be, from those before it. Raises MissingCall."""
        ...

    def remember(self, recorded: Recorded) -> None:
        """Take the event in, for those after it."""
        ...


async def compare(
    report: Report, events: Iterable[Recorded], kinds: Mapping[type[ev.Event], str], check: Check
) -> None:
    """Recompute the events of these kinds up to the first that does not follow; the report says what was found."""
    for recorded in events:
        kind = kinds.get(type(recorded.event))
        if kind is not None:
            try:
                expected: ev.Event | str | None = await check.expected(recorded)
            except MissingCall as missing:
                expected = str(missing)
            if expected != recorded.event:
                report.difference = _difference(kind, recorded, expected)
                return
            report.checked[kind] = report.checked.get(kind, 0) + 1
        check.remember(recorded)


def _difference(kind: str, recorded: Recorded, expected: ev.Event | str | None) -> Difference:
    """What is said of an event that does not follow from those before it."""
    if isinstance(expected, str | None):
        recomputed, sha256 = expected or "nothing follows from the events before it", "-"
    else:
        recomputed, sha256 = expected.model_dump_json(), encode_content(expected).sha256
    return Difference(
        kind=kind,
        position=recorded.position,
        stream=recorded.stream,
        log=recorded.event.model_dump_json(),
        recomputed=recomputed,
        log_hash=recorded.content_hash,
        recomputed_hash=sha256,
    )
