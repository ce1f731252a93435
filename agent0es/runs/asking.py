"""The answers of an evaluation by itself: each an attempt in the log, judged, and what they come to in the end."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agent0es.agents import one_turn
from agent0es.agents.student_prompt import lead, opening, told
from agent0es.configuration import Configuration, ToolsSettings
from agent0es.configuration.secrets import text_without_secrets
from agent0es.crash_points import reach
from agent0es.decisions.measuring import TYPES, Answer, Answers, after, answers, completed, is_news, leniently
from agent0es.decisions.verify import held_out
from agent0es.domain import events as ev
from agent0es.domain.adapter import Adapter
from agent0es.domain.names import Examined, sample_arm, stream
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Solution, Submission, Task
from agent0es.domain.text import storable
from agent0es.evaluation.problems import Posed, identity, kinds, wants_function
from agent0es.log import History, NewEvent, Recorded
from agent0es.models.base import ModelBackend, RequestRefused
from agent0es.rollouts.attempts import Attempts
from agent0es.rollouts.executor import Executor, InProcess
from agent0es.rollouts.one_turn import PYTHON, OneTurn
from agent0es.rollouts.retry import Retries
from agent0es.rollouts.rollout import Attempted, Problem, Recorder, Rollout, Student
from agent0es.rollouts.toolbox import Limits, Toolbox
from agent0es.rollouts.verifying import VerifierCalls
from agent0es.taskdomains import Domains, TaskDomain, load_task_domain
from agent0es.taskdomains.base import Demonstration, Guide

OnAnswer = Callable[[int, int, int, int], object]
"""Answers so far, of how many, how many are right, tokens that were written meanwhile."""
NO_SOLUTION = Solution(answer=None, confidence=None, tool_calls=0, tool_errors=0, observed=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be evaluated."""

    suite: str
    """Names of suites, or a file's name."""
    problems: Sequence[Posed]
    """All problems of it."""
    limit: int
    """How many of them are asked: the first ones."""
    way: ev.Way
    configuration: Configuration
    adapter: Adapter | None


class Asking:
    """Asks the problems of an evaluation that the log has no answer to."""

    def __init__(
        self, name: str, history: History, asked: Wanted, domains: Domains, model: ModelBackend, toolbox: Toolbox
    ) -> None:
        self._name, self._history, self._domains = name, history, domains
        self._problems: Sequence[Posed] = asked.problems[: asked.limit]
        self._way, self._configuration = asked.way, asked.configuration
        self._model, self._toolbox = model, toolbox
        execution = asked.configuration.execution
        retries = Retries(execution.retries)
        self._attempts = Attempts(name, history, retries)
        self._calls = VerifierCalls(name, history, toolbox, retries)
        self._slots = asyncio.Semaphore(
            1 if execution.deterministic else execution.tasks_in_flight * execution.attempts
        )
        known = answers(history.read(types=TYPES))
        every = [(problem, sample) for problem in range(asked.limit) for sample in range(asked.way.samples)]
        self._known: Answers = {place: known[place] for place in every if place in known}
        self.missing = [place for place in every if place not in known]
        """Problem and sample of each answer that is to be made."""

    async def ask(self, on_answer: OnAnswer) -> None:
        """Make the missing answers and write what all of them come to. Raises ExceptionGroup."""
        found = dict(self._known)
        total, tokens = len(self._known) + len(self.missing), 0

        def told() -> None:
            on_answer(len(found), total, sum(one.correct is True for one in found.values()), tokens)

        async def one(place: tuple[int, int]) -> None:
            nonlocal tokens
            async with self._slots:
                found[place] = await self._answer(*place)
            tokens += found[place].completion_tokens
            told()

        told()
        async with asyncio.TaskGroup() as group:
            for place in self.missing:
                group.create_task(one(place))
        reach("evaluation.answered")
        scored = completed([problem.task for problem in self._problems], found, self._way.samples)
        recorded = [one.event for one in self._history.read(types=["EvaluationCompleted"])]
        if is_news(scored, recorded):
            await self._record([NewEvent(stream("evaluation", self._name), scored)])

    async def _record(self, events: Sequence[NewEvent]) -> list[Recorded]:
        return await self._history.log.append_async(events, handler="evaluate")

    async def _answer(self, problem: int, sample: int) -> Answer:
        """Make one answer and have it judged, strictly and leniently."""
        task = self._problems[problem].task
        domain = self._domains[task.domain]

        async def make(name: str) -> Answer:
            rollout = self._rollout(name, task, sample)
            written: list[Recorded] = []

            async def record(events: Sequence[NewEvent]) -> list[Recorded]:
                appended = await self._record(events)
                written.extend(appended)
                return appended

            attempted = await self._attempted(rollout, task, record)
            submission = Submission(attempted.solution.answer, attempted.files)
            call = self._calls.of(name, rollout.limits, record)
            verified = await held_out(name, submission, task, domain, call)
            submitted = ev.SolutionSubmitted(attempt=name, task=None, solution=attempted.solution)
            await record([*attempted.pending, NewEvent(rollout.stream, submitted, attempted.measured)])
            answer = _folded(name, written)
            lenient = await leniently(self._way, answer, verified, task, domain, call)
            last = [] if lenient is None else [NewEvent(rollout.stream, lenient)]
            await record([*last, NewEvent(rollout.stream, verified)])
            return _folded(name, written)

        name = str(Examined("eval", sample_arm(self._way.format, sample), problem))
        made = await self._attempts.to_its_end(name, None, ev.Verified, self._record, make)
        assert made is not None, "only what is missing is asked"
        return made

    async def _attempted(self, rollout: Rollout, task: Task, record: Recorder) -> Attempted:
        """The attempt; one whose problem is more than the model can read ends without an answer."""
        executor: Executor = InProcess(self._model, self._toolbox)
        if self._way.format != "tools":
            executor = OneTurn(self._model, self._toolbox, self._way.format, wants_function(task))
        try:
            return await executor.run(rollout, record)
        except RequestRefused as error:
            why = storable(text_without_secrets(str(error)))
            return Attempted(NO_SOLUTION, task.files, [], {**error.measured, "refused": why})

    def _rollout(self, name: str, task: Task, sample: int) -> Rollout:
        """One attempt, under the name that it is made under."""
        way, domain, configuration = self._way, self._domains[task.domain], self._configuration
        settings = configuration.models.student
        if way.format != "tools":
            settings = settings.model_copy(update={"max_tokens": way.max_tokens, "stop": ()})
        system, guide, shown = before(way, domain, wants_function(task))
        return Rollout(
            stream=stream("attempt", self._name, name),
            problem=Problem(
                attempt=name,
                task=None,
                system=system,
                guide=guide,
                description=task.description,
                seed=derive_seed(configuration.seed, "evaluation", identity(task), sample),
                files=task.files,
                demonstrations=shown,
                lead=lead(shown),
            ),
            student=Student(way.adapter, settings, way.temperature),
            limits=_limits(domain, configuration.tools, way),
        )


def before(way: ev.Way, domain: TaskDomain, function: bool) -> tuple[str, Guide, tuple[Demonstration, ...]]:
    """What is said before a problem: instructions, a guide, worked examples. `function`: whether one is asked for."""
    if way.format != "tools":
        guide = one_turn.guide(way.format, one_turn.examples(domain, function, way.shots))
        return one_turn.SYSTEM[way.format, function], guide, ()
    said = told(domain, trained=way.adapter is not None)
    return said.system, said.guide, tuple(domain.mixed_demonstrations(way.shots))


def worked_examples(answer_format: ev.AnswerFormat, name: str, function: bool, shots: int) -> int:
    """How many there are for problems of a task domain: `shots`, or fewer. `function`: whether one is asked for."""
    domain = load_task_domain(name)
    if answer_format == "tools":
        return len(domain.mixed_demonstrations(shots))
    return len(one_turn.examples(domain, function, shots))


def prompts(asked: Wanted, domains: Domains) -> dict[str, str]:
    """Kind of problem to sha256 of what is said before it."""
    found = {}
    for name, function in kinds(asked.problems):
        system, guide, shown = before(asked.way, domains[name], function)
        words = opening(system, shown, "", guide=guide).model_dump_json()
        found[f"{name}, a function" if function else name] = hashlib.sha256(words.encode()).hexdigest()
    return found


def _limits(domain: TaskDomain, tools: ToolsSettings, way: ev.Way) -> Limits:
    """What may be called; `program` runs Python whatever the student may call."""
    limits = Limits.of(domain, tools)
    if way.format != "program":
        return limits
    enabled = tuple(dict.fromkeys((*(limits.settings.enabled or ()), PYTHON)))
    return replace(limits, settings=limits.settings.model_copy(update={"enabled": enabled}))


def _folded(name: str, written: Sequence[Recorded]) -> Answer:
    """The answer from the events of its attempt so far."""
    answer = Answer(name)
    for one in written:
        answer = after(answer, one)
    return answer
