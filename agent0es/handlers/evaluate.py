"""evaluate: the trained adapter, the one in use and the base model answer the same held-out problems.

An arm is one way of answering. Every answer is an attempt named `eval/<arm>/<problem>` in the log, so an arm is
asked once a run, and an evaluation that was cut off resumes where it stopped.
"""

import asyncio
from collections.abc import Mapping, Sequence

from agent0es.agents.student_prompt import told
from agent0es.configuration import Configuration
from agent0es.crash_points import reach
from agent0es.decisions.evaluate import (
    Arm,
    adapter_arms,
    arms_of,
    by_split,
    comparable,
    demonstrations,
    evaluated,
    known_outcomes,
    when_refused,
)
from agent0es.decisions.verify import held_out
from agent0es.domain import events as ev
from agent0es.domain.names import Examined, stream
from agent0es.domain.run import RunState
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Submission
from agent0es.evaluation.suite import HeldOut, suite
from agent0es.handlers.base import Record
from agent0es.handlers.serving import Serving
from agent0es.log import History, NewEvent, Recorded
from agent0es.models.base import RequestRefused
from agent0es.rollouts.attempts import Attempts
from agent0es.rollouts.executor import Executor
from agent0es.rollouts.retry import Retries
from agent0es.rollouts.rollout import Problem, Rollout, Student
from agent0es.rollouts.toolbox import Limits
from agent0es.rollouts.verifying import VerifierCalls
from agent0es.taskdomains import Domains


class Evaluate:
    """The attempts of all arms, then AdapterEvaluated."""

    name = "evaluate"
    causes = frozenset({ev.AdapterTrained})
    concurrency = 1

    def __init__(
        self,
        run: str,
        history: History,
        configuration: Configuration,
        domains: Domains,
        retries: Retries,
        executor: Executor,
        calls: VerifierCalls,
        serving: Serving,
    ) -> None:
        self._run = run
        self._configuration = configuration
        self._domains = domains
        self._executor = executor
        self._calls = calls
        self._serving = serving
        self._suite = suite(domains, configuration.evaluation, configuration.seed)
        execution = configuration.execution
        at_once = 1 if execution.deterministic else execution.tasks_in_flight * execution.attempts
        self._slots = asyncio.Semaphore(at_once)
        self._asked = comparable(history, configuration)
        self._attempts = Attempts(run, self._asked, retries)

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        trained = cause.event
        assert isinstance(trained, ev.AdapterTrained)
        if trained.role != "student":
            return []
        arms = arms_of(adapter_arms(state, trained), self._configuration.models.student)
        known = known_outcomes(self._asked, "eval")
        asked = [arm.adapter for arm in arms if arm.adapter and self._missing(arm, known.get(arm.name, {}))]
        await self._serving.serve(state, [trained.adapter, *asked], record)
        outcomes = {arm.name: await self._ask(arm, known.get(arm.name, {}), record, cause.position) for arm in arms}
        reach("evaluation.answered")
        seed = derive_seed(self._configuration.seed, "bootstrap")
        scored = evaluated(trained, *by_split(self._suite, arms, outcomes), seed)
        return [NewEvent(stream("adapter", self._run, trained.adapter), scored)]

    async def _ask(self, arm: Arm, known: Mapping[int, bool], record: Record, position: int) -> dict[int, bool]:
        """Problem to whether the arm solved it, over the arm's splits. Raises RequestRefused where the model refuses
        the arm's prompt, with how to go on from `position` if it was too long."""

        async def one(problem: HeldOut) -> bool:
            async with self._slots:
                try:
                    return await self._answer(arm, problem, record)
                except RequestRefused as error:
                    shown = self._configuration.evaluation.demonstrations
                    error.args = (f"{error}; {when_refused(arm, shown, self._run, position)}",)
                    raise

        async with asyncio.TaskGroup() as group:
            asked = {problem.number: group.create_task(one(problem)) for problem in self._missing(arm, known)}
        return {**known, **{number: task.result() for number, task in asked.items()}}

    def _missing(self, arm: Arm, known: Mapping[int, bool]) -> list[HeldOut]:
        """What an arm is still to be asked."""
        return [problem for problem in self._suite if problem.split in arm.splits and problem.number not in known]

    async def _answer(self, arm: Arm, problem: HeldOut, record: Record) -> bool:
        """Whether an arm solves a problem."""

        async def make(name: str) -> bool:
            rollout = self._rollout(name, arm, problem)
            attempted = await self._executor.run(rollout, record)
            domain = self._domains[problem.task.domain]
            submission = Submission(attempted.solution.answer, attempted.files)
            call = self._calls.of(name, rollout.limits, record)
            verified = await held_out(name, submission, problem.task, domain, call)
            submitted = ev.SolutionSubmitted(attempt=name, task=None, solution=attempted.solution)
            events = [NewEvent(rollout.stream, submitted, attempted.measured), NewEvent(rollout.stream, verified)]
            await record([*attempted.pending, *events])
            return verified.verification.correct is True

        name = str(Examined("eval", arm.name, problem.number))
        solved = await self._attempts.to_its_end(name, None, ev.Verified, record, make)
        assert solved is not None, "the caller asks only for what is not known"
        return solved

    def _rollout(self, name: str, arm: Arm, problem: HeldOut) -> Rollout:
        """One attempt, under the name that it is made under. It does not explore."""
        settings, domain = self._configuration, self._domains[problem.task.domain]
        said = told(domain, trained=arm.adapter is not None)
        return Rollout(
            stream=stream("attempt", self._run, name),
            problem=Problem(
                attempt=name,
                task=None,
                system=said.system,
                guide=said.guide,
                description=problem.task.description,
                seed=derive_seed(settings.seed, "evaluation", problem.number),
                files=problem.task.files,
                demonstrations=demonstrations(
                    arm, problem.task.family, domain, settings.evaluation.demonstrations, settings.seed
                ),
                lead=arm.lead,
            ),
            student=Student(arm.adapter, settings.models.student, 0.0),
            limits=Limits.of(domain, settings.tools),
            questions=settings.execution.reflection,
        )
