"""What every family of tasks, and every task domain, keeps to."""

import asyncio
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

import pytest

from agent0es.domain.task import Scalar, Submission, Task, Verification
from agent0es.errors import SandboxUnavailable
from agent0es.sandbox import open_sandbox
from agent0es.taskdomains import NeedsCall, TaskDomain, load_family, load_task_domain, load_task_domains
from agent0es.taskdomains.base import Family, Split
from agent0es.testing.hostile import HOSTILE
from agent0es.tools import ToolLimits, ToolResult, load_tools, run_program
from agent0es.tools.registry import VERIFIER_TOOLS, tool_classes

CHANGES = 3
"""Of each parameter alone, at each difficulty."""
DIFFICULTIES = (0.0, 0.25, 0.5, 0.75, 1.0)
LIMITS = ToolLimits(timeout_seconds=20)


class Tasks:
    """What is asked of each family, and of how its domain judges."""

    name: str
    tasks_at_each_difficulty: int = 3

    def domain(self) -> TaskDomain:
        """The domain that judges."""
        raise NotImplementedError

    def families(self) -> Sequence[Family]:
        """The families to look at."""
        raise NotImplementedError

    def test_samples_are_in_range_and_the_student_is_told_what_the_answer_depends_on(self) -> None:
        for family in self.families():
            rng = random.Random(family.name)
            for difficulty in DIFFICULTIES:
                first, second = family.sample(rng, difficulty), family.sample(rng, difficulty)
                assert family.check(first, difficulty) is None, (family.name, first)
                schema = json.loads(json.dumps(family.schema(difficulty)))
                assert schema["required"] == list(first), family.name
                others = [second, *_one_changed(family, first, rng, difficulty)]
                for wording in range(len(family.wordings)):
                    task = family.task(first, wording, difficulty)
                    for changed in others:
                        other = family.task(changed, wording, difficulty)
                        told = (task.description, task.files) != (other.description, other.files)
                        assert told or task.reference == other.reference, (
                            f"{family.name}: with {first} and with {changed} wording {wording} reads the same, and "
                            f"the answers are {task.reference[:200]} and {other.reference[:200]}"
                        )

    def test_the_same_seed_makes_the_same_task(self) -> None:
        assert list(self.tasks()) == list(self.tasks())

    def test_a_family_has_more_than_one_answer(self) -> None:
        for family in self.families():
            rng = random.Random(family.name)
            references = {family.task(family.sample(rng, 0.5), 0, 0.5).reference for _ in range(30)}
            assert len(references) > 1, f"{family.name}: the answer is always {references}"

    def test_no_answer_and_nonsense_are_never_right(self) -> None:
        tasks = list({task.family: task for task in self.tasks()}.values())
        asked = [(task, answer) for task in tasks for answer in (None, *HOSTILE) if answer != task.reference]
        for (task, answer), found in zip(asked, self.verdicts(asked), strict=True):
            assert found.correct is not True, (task.family, answer and answer[:40])
            assert found.explanation.isprintable(), (task.family, found.explanation)
            assert self.domain().normal_form(answer) is None or answer is not None

    def test_the_reference_action_gives_a_right_answer(self) -> None:
        tasks = [task for task in self.tasks() if task.reference_action]
        asked = list(zip(tasks, self.printed(tasks), strict=True))
        for (task, printed), found in zip(asked, self.verdicts(asked), strict=True):
            why = f"{task.family}: {task.reference_action} gives {printed!r}: {found.explanation}"
            assert found.correct is True, why

    def test_the_answers_to_other_tasks_of_the_family_are_not_all_right(self) -> None:
        tasks = [task for task in self.tasks() if task.reference_action]
        others = [self.domain().family(task.family).second_instance(task, random.Random(1)) for task in tasks]
        asked = list(zip(tasks, self.printed(others), strict=True))
        verdicts = self.verdicts(asked)
        wrong = {task.family for (task, _), found in zip(asked, verdicts, strict=True) if not found.correct}
        never = sorted({task.family for task in tasks} - wrong)
        assert not never, f"whatever is answered there is right: {', '.join(never)}"
        domain = self.domain()
        for (task, answer), found in zip(asked, verdicts, strict=True):
            own = domain.judge(Submission(task.reference, task.files), task)
            if found.correct is False and isinstance(own, Verification) and own.correct:
                same = domain.normal_form(answer) == domain.normal_form(task.reference)
                said = f"{task.family}: normal_form takes {answer!r} for {task.reference!r}, and judge says it is wrong"
                assert not same, said

    def tasks(self) -> Iterator[Task]:
        """Tasks of each family, of rising difficulty."""
        for family in self.families():
            rng = random.Random(family.name)
            for number, difficulty in enumerate(sorted(DIFFICULTIES * self.tasks_at_each_difficulty)):
                yield family.task(family.sample(rng, difficulty), number % len(family.wordings), difficulty)

    def printed(self, tasks: Sequence[Task]) -> list[str]:
        """What each task's reference action, `python[2 + 2]`, prints in the sandbox."""
        actions = [(*task.reference_action.partition("["), task.files) for task in tasks]
        results = _called([NeedsCall(tool, text.removesuffix("]"), files) for tool, _, text, files in actions])
        for task, result in zip(tasks, results, strict=True):
            assert result.status == "ok", f"{task.family}: {task.reference_action}: {result.output}"
        return [result.output for result in results]

    def verdicts(self, asked: Sequence[tuple[Task, str | None]]) -> list[Verification]:
        """The judgement of each answer, with the calls that it takes."""
        domain = self.domain()
        submissions = [(Submission(answer, task.files), task) for task, answer in asked]
        found = [domain.judge(submission, task) for submission, task in submissions]
        results = iter(_called([one for one in found if isinstance(one, NeedsCall)]))
        judged = []
        for one, (submission, task) in zip(found, submissions, strict=True):
            if isinstance(one, NeedsCall):
                result = next(results)
                one = domain.conclude(result.status, result.output, submission, task)
            judged.append(one)
        return judged


class FamilyContract(Tasks):
    """One test per promise. A subclass gives the name. What takes the sandbox is skipped where there is none."""

    name: str
    """Its entry point in the group `agent0es.families`."""

    def domain(self) -> TaskDomain:
        [domain] = load_task_domains([load_family(self.name).domain], [self.name]).values()
        return domain

    def families(self) -> Sequence[Family]:
        return [self.domain().family(self.name)]


class DomainContract(Tasks):
    """One test per promise, all families of all splits included. A subclass gives the name."""

    name: str
    """Its entry point in the group `agent0es.task_domains`."""

    def domain(self) -> TaskDomain:
        return load_task_domain(self.name)

    def families(self) -> Sequence[Family]:
        domain = self.domain()
        return [family for split in get_args(Split) for family in domain.families(split)]

    def test_its_worked_examples_are_always_the_same_and_call_its_tools(self) -> None:
        domain = self.domain()
        assert tool_classes(domain.tools)
        shown = domain.mixed_demonstrations(16)
        assert shown and list(shown) == list(self.domain().mixed_demonstrations(16))
        called = {example.action.partition("[")[0] for example in shown if example.action}
        assert called <= set(domain.tools), "an attempt may call only what the domain names"


def _one_changed(
    family: Family, parameters: Mapping[str, Scalar], rng: random.Random, difficulty: float
) -> Iterator[Mapping[str, Scalar]]:
    """The parameters with one of them changed, each a few times."""
    for name, kind in family.parameters.items():
        for _ in range(CHANGES):
            changed = {**parameters, name: kind.different(rng, difficulty, parameters[name])}
            if family.check(changed, difficulty) is None:
                yield changed


def _called(calls: Sequence[NeedsCall]) -> list[ToolResult]:
    """What comes of each call, in one sandbox. Skips the test where there is none."""
    if not calls:
        return []

    async def run() -> list[ToolResult]:
        async with open_sandbox() as sandbox:
            tools = load_tools(dict.fromkeys([*VERIFIER_TOOLS, *(call.tool for call in calls)]), sandbox)

            async def one(call: NeedsCall) -> ToolResult:
                if call.program is not None:
                    return await run_program(sandbox, call.program, call.input, LIMITS)
                return await tools[call.tool].run(call.input, LIMITS, call.files)

            return list(await asyncio.gather(*map(one, calls)))

    try:
        return asyncio.run(run())
    except SandboxUnavailable as error:
        pytest.skip(str(error))
