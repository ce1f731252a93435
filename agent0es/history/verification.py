"""Recompute every pure decision of a run from its log alone, and compare it with the log.

The run is folded once. What schedule, reward and promote decide is computed when their cause comes by and compared
when their events do; the rest is computed at its event. Of a fork only its own decisions are checked: those of its past
are its parent's, made under its parent's configuration.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from uuid import UUID

from pydantic import ValidationError

from agent0es.agents.student_prompt import told
from agent0es.configuration import Configuration, ToolsSettings, TrainingSettings, parse_configuration
from agent0es.decisions import evaluate_teacher, promote, reward, schedule, train, verify
from agent0es.domain import events as ev
from agent0es.domain.names import Draft, read_attempt, task_of
from agent0es.domain.prompt import Prompt
from agent0es.domain.rewards import RewardComponent
from agent0es.domain.run import RunState, evolve
from agent0es.domain.task import Submission, Task
from agent0es.history.attempts import Attempt, MissingCall, RecordedCalls
from agent0es.history.examinations import Examinations
from agent0es.history.novelties import Novelties
from agent0es.history.proposals import Proposals
from agent0es.log import EventLog, History, Recorded
from agent0es.log.mapper import encode_content
from agent0es.projections.datasets import events_of_dataset
from agent0es.taskdomains import Domains, practised_families
from agent0es.tools.policy import settings_in
from agent0es.training.methods import with_learning_rate

KINDS = {"schedule": "course of the run", "reward": "rewards", "promote": "gates"}
"""Handler whose decisions follow from cause and state, to what they are called in a report."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What decisions are made with. None of it is a port: nothing of it acts."""

    domains: Domains
    rewards: Mapping[str, RewardComponent]
    novelties: Novelties | None = None
    """None takes the novelties from the log as they are."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A decision that does not follow from the events before it."""

    kind: str
    position: int
    stream: str
    log: str
    """The event as the log has it, as JSON."""
    recomputed: str
    """The event as it should be, or why there should be none."""
    log_hash: str
    recomputed_hash: str


@dataclass(slots=True)
class Report:
    """How many decisions of each kind were checked, and the first that differs."""

    run: str
    checked: dict[str, int] = field(default_factory=dict)
    difference: Difference | None = None


class _Differs(Exception):
    """Carries the first difference out of the fold."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(difference.kind)
        self.difference = difference


async def verify_decisions(log: EventLog, run: str, rules: Rules) -> Report:
    """Check a run up to its latest event."""
    history = History.of(log, run)
    report = Report(run)
    check = _Check(history, rules, report)
    recorded: Recorded | None = None
    try:
        for recorded in history.read():
            await check.take(recorded)
        if recorded is not None:
            check.finish(recorded)
    except _Differs as found:
        report.difference = found.difference
    return report


class _Check:
    """The fold, with what is needed of the past beside the state."""

    def __init__(self, history: History, rules: Rules, report: Report) -> None:
        self._history = history
        self._run = history.segments[-1].run
        self._rules = rules
        self._report = report
        self._configuration: Configuration = parse_configuration(history.started.configuration, f"run {self._run}")
        self._examinations = Examinations(history, self._configuration, rules.domains)
        self._families = practised_families(rules.domains)
        self._settled = History(history.log, history.segments[:-1]).handled()
        """What the past had reacted to before the fork."""
        self._state = RunState()
        self._expected: dict[tuple[UUID, str], deque[ev.Event]] = {}
        self._proposals = Proposals(self._configuration, rules.domains, self._examinations.suite, rules.novelties)
        self._teacher_text: dict[str, str] = {}
        """Attempt of a teacher in an evaluation to what it wrote."""
        self._attempts: dict[str, Attempt] = {}
        self._requested: dict[str, ev.TrainingRequested] = {}
        """Adapter to what a user asked this run for; a fork trains it anew, as the fork is set."""
        self._datasets: dict[str, str] = {}
        """Adapter to the hash of its dataset."""

    async def take(self, recorded: Recorded) -> None:
        """Check one event if it is a decision of the run's own, then fold it."""
        if recorded.run == self._run:
            await self._check(recorded)
        self._state = evolve(self._state, recorded.event)
        await self._remember(recorded)
        self._expect(recorded)

    def finish(self, last: Recorded) -> None:
        """A completed run owes nothing any more."""
        if self._state.status != "completed":
            return
        for (_, handler), events in self._expected.items():
            self._differ(KINDS[handler], last, events[0], "missing in the log:")

    async def _check(self, recorded: Recorded) -> None:
        """Compare one event with what it should be."""
        event, handler = recorded.event, recorded.meta.handler
        match event:
            case ev.HandlerFailed() | ev.RunStarted() | ev.RunForked():
                pass
            case _ if handler in KINDS:
                events = self._expected.get((_cause(recorded), handler))
                self._compare(KINDS[handler], recorded, events.popleft() if events else None)
                if not events:
                    self._expected.pop((_cause(recorded), handler), None)
            case ev.TaskProposed() | ev.ProposalRejected():
                try:
                    proposal = await self._proposals.expected(event)
                except MissingCall as missing:
                    self._differ("proposals", recorded, None, str(missing))
                self._compare("proposals", recorded, proposal)
            case ev.ModelCalled(question=str(), attempt=str() as name):
                self._compare("questions", recorded, self._asking(self._attempt(recorded, name), event))
            case ev.Reflected():
                expected_reflection = self._attempt(recorded, event.attempt).expected_reflection()
                self._compare("reflections", recorded, expected_reflection)
            case ev.ModelCalled(role="student", attempt=str() as name):
                prompt = self._prompt(self._attempt(recorded, name), event)
                if prompt != event.prompt:
                    self._differ("student's turns", recorded, event.model_copy(update={"prompt": prompt}))
                self._count("student's turns")
            case ev.ToolRequested(purpose="solution"):
                attempt = self._attempt(recorded, event.attempt)
                domain = self._domain(event.attempt)
                expected_call = attempt.expected_call(self._tools(event.attempt), domain, event)
                self._compare("student's calls", recorded, expected_call)
            case ev.SolutionSubmitted():
                attempt = self._attempt(recorded, event.attempt)
                refused = "refused" in recorded.meta.measured  # then it could not be asked all questions
                questions = () if refused else self._configuration.execution.reflection
                self._compare("solutions", recorded, attempt.expected_solution(event, questions))
            case ev.Verified():
                await self._verified(recorded, event)
            case ev.DatasetBuilt():
                self._compare("datasets", recorded, self._dataset(recorded, event))
            case ev.TrainingStarted():
                training = with_learning_rate(self._settings_of(event.adapter).training)
                meant = _means(event.settings, training)
                settings = event.settings if meant else training.model_dump(mode="json")
                sha256 = self._datasets.get(event.adapter, "no DatasetBuilt")
                expected_training = event.model_copy(update={"dataset_sha256": sha256, "settings": settings})
                self._compare("trainings", recorded, expected_training)
            case ev.AdapterEvaluated():
                self._compare(
                    "evaluations", recorded, self._examinations.expected(event, self._state, recorded.position)
                )
            case _:
                pass  # what models, tools and the trainer gave is no decision

    async def _remember(self, recorded: Recorded) -> None:
        """What later decisions need and the state doesn't hold."""
        event = recorded.event
        await self._proposals.remember(event, self._state)
        match event:
            case ev.AttemptStarted():
                self._attempts[event.attempt] = Attempt(event, files=self._files(event))
            case ev.ModelCalled(role="teacher", attempt=str() as name):
                self._teacher_text[name] = event.text
            case ev.ModelCalled(role="teacher"):
                pass
            case ev.ModelCalled(question=str(), attempt=str() as name):
                self._attempt(recorded, name).asked = event
            case ev.Reflected():
                attempt = self._attempt(recorded, event.attempt)
                attempt.asked, attempt.reflected = None, attempt.reflected + 1
            case ev.ModelCalled(attempt=str() as name):
                attempt = self._attempt(recorded, name)
                if attempt.transcript is None:
                    self._prompt(attempt, event)
                attempt.read(event)
            case ev.ToolRequested() if event.purpose != "solution":
                self._calls(recorded, event.attempt).asked[event.call] = event
            case ev.ToolCalled():
                calls = self._calls(recorded, event.attempt)
                if event.call in calls.asked:
                    calls.answered[event.call] = event
                else:
                    self._attempt(recorded, event.attempt).observe(event, self._tools(event.attempt))
            case ev.SolutionSubmitted():
                self._attempt(recorded, event.attempt).submitted = event
            case ev.Verified() | ev.AttemptAbandoned():
                self._attempts.pop(event.attempt, None)
                self._teacher_text.pop(event.attempt, None)
            case ev.TrainingRequested() if recorded.run == self._run:
                self._requested[event.adapter] = event
            case ev.DatasetBuilt():
                self._datasets[event.adapter] = event.sha256
            case ev.HandlerFailed():
                if event.task is not None:  # dropped: what the handler owed is not owed any more
                    self._expected.pop((_cause(recorded), event.handler), None)
            case _:
                pass

    def _expect(self, recorded: Recorded) -> None:
        """Compute what schedule, reward and promote make of an event, unless the past before a fork has done so."""
        decided: dict[str, list[ev.Event]] = {}
        event, state, configuration = recorded.event, self._state, self._configuration
        if type(event) in schedule.CAUSES and recorded.run == self._run:
            decided["schedule"] = schedule.decide(event, state, configuration, self._families)
        if isinstance(event, ev.Verified):
            task = state.in_flight.get(event.task or 0)
            if task is not None and task.verified and ("reward", recorded.position) not in self._settled:
                decided["reward"] = reward.decide(task, self._rules.rewards, configuration.rewards.weights)
        if isinstance(event, ev.AdapterEvaluated) and ("promote", recorded.position) not in self._settled:
            proposed = self._history.read(until=recorded.position, types=["TaskProposed"])
            leaks = promote.leaks_of(event, state, proposed, self._examinations.suite)
            decided["promote"] = [promote.decide(event, state, configuration.evaluation, leaks)]
        for handler, events in decided.items():
            if events:
                self._expected[recorded.meta.event_id, handler] = deque(events)

    async def _verified(self, recorded: Recorded, event: ev.Verified) -> None:
        """Compare a verifier's judgement."""
        try:
            expected = await self._judgement(event)
        except MissingCall as missing:
            self._differ("verifications", recorded, None, str(missing))
        self._compare("verifications", recorded, expected)

    async def _judgement(self, event: ev.Verified) -> ev.Verified | None:
        domains, name = self._rules.domains, event.attempt
        probe = self._examinations.probe(name)
        if probe is not None:
            text = self._teacher_text.get(name)
            return None if text is None else evaluate_teacher.judged(domains[probe.domain], probe, text, name)
        attempt = self._attempts.get(name)
        if attempt is None or attempt.submitted is None:
            return None
        if event.task is not None:
            task = self._state.in_flight.get(event.task)
            if task is None or task.proposal is None or name not in task.attempts:
                return None
            known, seed, domain = task.attempts[name], task.request.seed, domains[task.request.domain]
            return await verify.decide(attempt.submitted, known, task.task, seed, domain, attempt.verifier)
        problem = self._examinations.problem(name)
        if problem is None:
            return None
        submission = Submission(attempt.submitted.solution.answer, attempt.files)
        return await verify.held_out(name, submission, problem, domains[problem.domain], attempt.verifier)

    def _dataset(self, recorded: Recorded, event: ev.DatasetBuilt) -> ev.DatasetBuilt:
        dataset = train.dataset_of(
            event.role,
            events_of_dataset(self._history, event.iteration, recorded.position),
            self._rules.domains,
            self._settings_of(event.adapter),
            event.rows,
        )
        return train.built(event.role, event.iteration, event.adapter, dataset, event.rows, event.method)

    def _settings_of(self, adapter: str) -> Configuration:
        """Those under which an adapter is trained: its own, where a user asked for it."""
        return train.as_requested(self._configuration, self._requested.get(adapter))

    def _files(self, started: ev.AttemptStarted) -> Mapping[str, str]:
        """What lies in the working directory when an attempt starts."""
        if started.task is None:
            problem = self._examinations.problem(started.attempt)
            return {} if problem is None else problem.files
        task = self._state.in_flight.get(started.task)
        return {} if task is None else task.attempts[started.attempt].files

    def _prompt(self, attempt: Attempt, event: ev.ModelCalled) -> Prompt:
        student = self._configuration.models.student
        return attempt.expected_prompt(event, self._tools(attempt.started.attempt), student)

    def _asking(self, attempt: Attempt, event: ev.ModelCalled) -> ev.ModelCalled | None:
        task = self._task(attempt.started.attempt)
        if task is None:
            return None
        questions = self._configuration.execution.reflection
        said = told(self._rules.domains[task.domain], trained=attempt.started.adapter is not None)
        return attempt.expected_asking(event, questions, said.system, task.description)

    def _calls(self, recorded: Recorded, name: str) -> RecordedCalls:
        """The calls that check a freeform proposal, or those that a verifier makes on an attempt."""
        draft = read_attempt(name)
        if isinstance(draft, Draft):
            return self._proposals.calls(draft)
        return self._attempt(recorded, name).verifier

    def _attempt(self, recorded: Recorded, name: str) -> Attempt:
        """An attempt whose beginning the log has; without that, what is in the log does not follow from anything."""
        if name not in self._attempts:
            self._differ("attempts", recorded, None, f"attempt {name} has not begun")
        return self._attempts[name]

    def _tools(self, attempt: str) -> ToolsSettings:
        """What the student might call in an attempt."""
        domain = self._rules.domains.get(self._domain(attempt))
        settings = self._configuration.tools
        return settings if domain is None else settings_in(settings, domain.tools, domain.calls_per_attempt)

    def _task(self, attempt: str) -> Task | None:
        """What an attempt that has begun is at; None for a task that the state doesn't hold any more."""
        problem = self._examinations.problem(attempt)
        if problem is not None:
            return problem
        task = self._state.in_flight.get(task_of(attempt) or 0)
        return None if task is None or task.proposal is None else task.task

    def _domain(self, attempt: str) -> str:
        """Task domain of an attempt that has begun; empty for one at a task that the state doesn't hold any more."""
        task = self._task(attempt)
        return "" if task is None else task.domain

    def _compare(self, kind: str, recorded: Recorded, expected: ev.Event | None) -> None:
        """Count a decision that is as it should be; raise the difference of one that isn't."""
        same = expected is not None and (
            encode_content(expected).sha256 == recorded.content_hash or expected == recorded.event  # an older version
        )
        if not same:
            self._differ(kind, recorded, expected)
        self._count(kind)

    def _count(self, kind: str) -> None:
        self._report.checked[kind] = self._report.checked.get(kind, 0) + 1

    def _differ(self, kind: str, recorded: Recorded, expected: ev.Event | None, note: str = "") -> NoReturn:
        if expected is None:
            should, sha256 = note or "no such decision follows from the events before it", "-"
        else:
            should, sha256 = f"{note} {expected.model_dump_json()}".strip(), encode_content(expected).sha256
        raise _Differs(
            Difference(
                kind=kind,
                position=recorded.position,
                stream=recorded.stream,
                log=recorded.event.model_dump_json(),
                recomputed=should,
                log_hash=recorded.content_hash,
                recomputed_hash=sha256,
            )
        )


def _means(settings: Mapping[str, Any], training: TrainingSettings) -> bool:
    """Whether these are the settings. What a version before had no setting for has its default."""
    try:
        return with_learning_rate(TrainingSettings.model_validate(settings)) == training
    except ValidationError:
        return False


def _cause(recorded: Recorded) -> UUID:
    """Id of the event that this is a reaction to; 0 for what the user did."""
    return recorded.meta.cause or UUID(int=0)
