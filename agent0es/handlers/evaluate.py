"""evaluate: the trained adapter, the one in use and the base model answer the same held-out problems.

An arm is one way of answering. Every answer is an attempt named `eval/<arm>/<problem>` in the log, so an arm is
asked once a run, and an evaluation that was cut off resumes where it stopped.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from agent0es.agents.student import ACTION_LEAD, CALL_LEAD
from agent0es.configuration import Configuration, parse_configuration
from agent0es.crash_points import reach
from agent0es.domain import events as ev
from agent0es.domain.run import RunState
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Submission
from agent0es.evaluation import statistics
from agent0es.evaluation.suite import SPLITS, HeldOut, Split, families_of, suite
from agent0es.handlers.attempt import Problem, attempt, to_its_end
from agent0es.handlers.base import Ports, Record
from agent0es.handlers.serving import serve
from agent0es.handlers.verify import judge
from agent0es.log import History, NewEvent, Recorded, Segment
from agent0es.taskdomains.base import Demonstration

OWN_DEMONSTRATIONS = 4
"""Of the problem's own family, as in practice."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of answering."""

    name: str
    adapter: str | None
    prompt: str
    """zero-shot, mixed (worked examples of other families) or own (of the problem's own family)."""
    splits: tuple[Split, ...] = SPLITS
    lead: str = ""
    """Words put into the student's mouth."""


BASE_ARMS = (
    Arm("base-zero-shot", None, "zero-shot"),
    Arm("base-few-shot", None, "mixed", ("held_out",)),
    Arm("base-few-shot-led", None, "mixed", ("held_out",), CALL_LEAD),
    Arm("base-own-shots", None, "own", ("practised",), ACTION_LEAD),
)
"""The baselines, each on the split where it is the best that was found (docs/log.md): worked examples of the family
itself where that is practised, of other families where such examples would be practice."""


def splits_of(arm: str) -> tuple[Split, ...]:
    """On which splits an arm answers."""
    return next((base.splits for base in BASE_ARMS if base.name == arm), SPLITS)


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
            *(self._ports, self._asked, f"eval/{arm.name}/{problem.number}", None, ev.Verified, record),
            lambda name: self._make(name, arm, problem, record),
        )
        assert solved is not None, "the caller asks only for what is not known"
        return solved

    async def _make(self, name: str, arm: Arm, problem: HeldOut, record: Record) -> bool:
        """One attempt, judged; whether it is right."""
        ports = self._ports
        shown = self._demonstrations(arm, problem)
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
        submission = Submission(attempted.solution.answer, attempted.files)
        verification = await judge(ports, name, submission, problem.task, record)
        submitted = ev.SolutionSubmitted(attempt=name, task=None, solution=attempted.solution)
        verified = ev.Verified(
            attempt=name,
            task=None,
            verification=verification,
            second_instance=None,
            majority_key=ports.domains[problem.task.domain].normal_form(submission.answer),
        )
        stream = ports.stream("attempt", name)
        await record([*attempted.pending, NewEvent(stream, submitted), NewEvent(stream, verified)])
        return verification.correct is True

    def _demonstrations(self, arm: Arm, problem: HeldOut) -> tuple[Demonstration, ...]:
        ports, domain = self._ports, self._ports.domains[problem.task.domain]
        if arm.prompt == "mixed":
            return tuple(domain.mixed_demonstrations(ports.configuration.evaluation.demonstrations))
        if arm.prompt == "own":
            family = problem.task.family
            rng = random.Random(derive_seed(ports.configuration.seed, "demonstrations", family))
            return tuple(domain.demonstrations(family, OWN_DEMONSTRATIONS, rng))
        return ()


def adapter_arms(state: RunState, trained: ev.AdapterTrained) -> list[str]:
    """The adapters that are compared: the one in use, the one to beat if that is another, and the new one."""
    role = trained.role
    return [name for name in dict.fromkeys((state.serving[role], state.rival(role), trained.adapter)) if name]


def arms_of(adapters: Sequence[str]) -> list[Arm]:
    """Who answers when a student's adapter is evaluated: the baselines and the adapters."""
    return [*BASE_ARMS, *(Arm(name, name, "zero-shot") for name in adapters)]


def comparable(history: History, configuration: Configuration) -> History:
    """The later part of a history in which the held-out problems and the way of answering them are today's.

    A fork with another seed, other tools or another evaluation asks every arm again.
    """

    def examination(settings: Configuration) -> object:
        return settings.seed, settings.evaluation, settings.tools, settings.curriculum.domains, settings.models

    def same(segment: Segment) -> bool:
        settings = parse_configuration(segment.started.configuration, f"run {segment.run}")
        return examination(settings) == examination(configuration)

    latest = list(takewhile(same, reversed(history.segments)))
    return History(history.log, tuple(reversed(latest)))


def known_outcomes(asked: History, kind: str, until: int | None = None) -> dict[str, dict[int, bool]]:
    """Arm to problem to whether it was solved, as far as the log knows, of attempts named `<kind>/<arm>/<problem>`."""
    known: dict[str, dict[int, bool]] = {}
    for recorded in asked.read(types=["Verified"], until=until):
        event = recorded.event
        if isinstance(event, ev.Verified) and event.attempt.startswith(f"{kind}/"):
            _, arm, number = event.attempt.split("/")
            known.setdefault(arm, {})[int(number.split(".")[0])] = event.verification.correct is True
    return known


def by_split(
    problems: Sequence[HeldOut], arms: Sequence[Arm], outcomes: Mapping[str, Mapping[int, bool]]
) -> tuple[dict[Split, dict[int, str]], dict[Split, dict[str, Mapping[int, bool]]]]:
    """For each split its problems (number to family), and the outcomes of the arms that were asked them."""
    asked = {split: {arm.name: outcomes[arm.name] for arm in arms if split in arm.splits} for split in SPLITS}
    return {split: families_of(problems, split) for split in SPLITS}, asked


def evaluated(
    trained: ev.AdapterTrained,
    problems: Mapping[Split, Mapping[int, str]],
    outcomes: Mapping[Split, Mapping[str, Mapping[int, bool]]],
    seed: int,
) -> ev.AdapterEvaluated:
    """Scores of all arms on each split, and the trained adapter against each other arm. Pure."""
    scores, comparisons = [], []
    for split, arms in outcomes.items():
        scores += [statistics.score(arm, split, problems[split], solved) for arm, solved in arms.items()]
        mine = (trained.adapter, arms[trained.adapter])
        comparisons += [
            statistics.compare(split, problems[split], (arm, solved), mine, seed)
            for arm, solved in arms.items()
            if arm != trained.adapter
        ]
    return ev.AdapterEvaluated(
        adapter=trained.adapter,
        role=trained.role,
        iteration=trained.iteration,
        scores=tuple(scores),
        comparisons=tuple(comparisons),
    )
