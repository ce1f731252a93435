"""evaluate: the trained adapter, the one in use and the base model answer the same held-out problems.

An arm is one way of answering. Every answer is an attempt named `eval/<arm>/<problem>` in the log, so an arm is
asked once a run, and an evaluation that was cut off resumes where it stopped.
"""

import asyncio
from collections.abc import Mapping, Sequence

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
)
from agent0es.decisions.verify import held_out
from agent0es.domain import events as ev
from agent0es.domain.names import Examined
from agent0es.domain.run import RunState
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Submission
from agent0es.evaluation.suite import HeldOut, suite
from agent0es.handlers.attempt import Problem, attempt, to_its_end
from agent0es.handlers.base import Ports, Record
from agent0es.handlers.serving import serve
from agent0es.handlers.verify import sandbox_call
from agent0es.log import NewEvent, Recorded


class Evaluate:
    """The attempts of all arms, then AdapterEvaluated."""

    name = "evaluate"
    causes = frozenset({ev.AdapterTrained})
    concurrency = 1

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._suite = suite(ports.domains, ports.configuration.evaluation, ports.configuration.seed)
        execution = ports.configuration.execution
        at_once = 1 if execution.deterministic else execution.tasks_in_flight * execution.attempts
        self._slots = asyncio.Semaphore(at_once)
        self._asked = comparable(ports.history, ports.configuration)

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        trained = cause.event
        assert isinstance(trained, ev.AdapterTrained)
        if trained.role != "student":
            return []
        arms = arms_of(adapter_arms(state, trained))
        known = known_outcomes(self._asked, "eval")
        asked = [arm.adapter for arm in arms if arm.adapter and self._missing(arm, known.get(arm.name, {}))]
        await serve(self._ports, state, [trained.adapter, *asked], record)
        outcomes = {arm.name: await self._ask(arm, known.get(arm.name, {}), record) for arm in arms}
        reach("evaluation.answered")
        seed = derive_seed(self._ports.configuration.seed, "bootstrap")
        scored = evaluated(trained, *by_split(self._suite, arms, outcomes), seed)
        return [NewEvent(self._ports.stream("adapter", trained.adapter), scored)]

    async def _ask(self, arm: Arm, known: Mapping[int, bool], record: Record) -> dict[int, bool]:
        """Problem to whether the arm solved it, over the arm's splits."""

        async def one(problem: HeldOut) -> bool:
            async with self._slots:
                return await self._answer(arm, problem, record)

        async with asyncio.TaskGroup() as group:
            asked = {problem.number: group.create_task(one(problem)) for problem in self._missing(arm, known)}
        return {**known, **{number: task.result() for number, task in asked.items()}}

    def _missing(self, arm: Arm, known: Mapping[int, bool]) -> list[HeldOut]:
        """What an arm is still to be asked."""
        return [problem for problem in self._suite if problem.split in arm.splits and problem.number not in known]

    async def _answer(self, arm: Arm, problem: HeldOut, record: Record) -> bool:
        solved = await to_its_end(
            *(self._ports, self._asked, str(Examined("eval", arm.name, problem.number)), None, ev.Verified, record),
            lambda name: self._make(name, arm, problem, record),
        )
        assert solved is not None, "the caller asks only for what is not known"
        return solved

    async def _make(self, name: str, arm: Arm, problem: HeldOut, record: Record) -> bool:
        """One attempt, judged; whether it is right."""
        ports = self._ports
        settings = ports.configuration
        shown = demonstrations(
            arm,
            problem.task.family,
            ports.domains[problem.task.domain],
            settings.evaluation.demonstrations,
            settings.seed,
        )
        attempted = await attempt(
            Problem(
                attempt=name,
                task=None,
                domain=problem.task.domain,
                description=problem.task.description,
                files=problem.task.files,
                seed=derive_seed(ports.configuration.seed, "evaluation", problem.number),
                adapter=arm.adapter,
                temperature=0.0,
                demonstrations=shown,
                lead=arm.lead,
            ),
            ports,
            record,
        )
        submission, domain = Submission(attempted.solution.answer, attempted.files), ports.domains[problem.task.domain]
        call = sandbox_call(ports, domain.name, name, record)
        verified = await held_out(name, submission, problem.task, domain, call)
        submitted = ev.SolutionSubmitted(attempt=name, task=None, solution=attempted.solution)
        stream = ports.stream("attempt", name)
        await record([*attempted.pending, NewEvent(stream, submitted), NewEvent(stream, verified)])
        return verified.verification.correct is True
