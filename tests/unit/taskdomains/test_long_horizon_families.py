"""Every family of the long-horizon domain: its worked examples are carried out, in-process and in the real sandbox.

LONG_HORIZON_SAMPLES=1000 in the environment checks that many instances of each family in place of 50.
"""

import ast
import json
import os
import random
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from agent0es.agents.react import parse
from agent0es.agents.student_prompt import render
from agent0es.domain.task import Submission, Task, Verification
from agent0es.sandbox import open_sandbox, probe
from agent0es.taskdomains.base import Demonstration, signature
from agent0es.taskdomains.code import CodeDomain
from agent0es.taskdomains.long_horizon import LongHorizonDomain
from agent0es.taskdomains.long_horizon.families import FAMILIES
from agent0es.taskdomains.long_horizon.families.common import StagedFamily
from agent0es.taskdomains.math import MathDomain
from agent0es.tools import ToolLimits
from agent0es.tools.python import PythonTool

SAMPLES = int(os.environ.get("LONG_HORIZON_SAMPLES", "50"))
REPORT = probe()
DOMAIN = LongHorizonDomain()
SPLITS: tuple[Any, ...] = ("practised", "held_out", "validation")
STAGED = [family for family in FAMILIES if isinstance(family, StagedFamily)]
every_family = pytest.mark.parametrize("family", STAGED, ids=lambda family: family.name)


def instances(family: StagedFamily, count: int) -> list[Task]:
    """Tasks of rising difficulty."""
    rng = random.Random(family.name)
    difficulties = [i / (count - 1) for i in range(count)]
    return [family.task(family.sample(rng, d), i % len(family.wordings), d) for i, d in enumerate(difficulties)]


def steps(family: StagedFamily, task: Task) -> list[tuple[str, str]]:
    assert family.steps_of is not None
    return list(family.steps_of(**task.parameters))


def value(code: str) -> str:
    """What trusted code of ours comes to, run in-process."""
    tree = ast.parse(code)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    names: dict[str, Any] = {"json": json, "accumulate": accumulate}
    exec(compile(tree, "step", "exec"), names)
    return str(eval(compile(ast.Expression(last.value), "step", "eval"), names))


@every_family
def test_the_steps_reach_every_milestone(family: StagedFamily, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for task in instances(family, SAMPLES):
        for path in tmp_path.iterdir():
            path.unlink()
        for name, text in task.files.items():
            tmp_path.joinpath(name).write_text(text)
        shown = ""
        for action, observation in steps(family, task):
            shown = value(action.removeprefix("python[")[:-1])
            assert shown == observation, action
        files = {path.name: path.read_text() for path in tmp_path.iterdir()}
        judged = DOMAIN.judge(Submission(shown, files), task)
        assert isinstance(judged, Verification) and judged.correct is True, (task, judged.explanation)
        undone = DOMAIN.judge(Submission(None, dict(task.files)), task)
        assert isinstance(undone, Verification) and (undone.correct, undone.score) == (False, 0.0)


@pytest.mark.skipif(REPORT.tier is None, reason=REPORT.detail)
async def test_worked_examples_show_what_the_tool_shows() -> None:
    sandbox = open_sandbox()
    try:
        await carry_out(PythonTool(sandbox))
    finally:
        await sandbox.close()


async def carry_out(tool: PythonTool) -> None:
    """A worked example of each family, call by call in one working directory."""
    for family in STAGED:
        task = instances(family, 3)[1]
        files = task.files
        for action, observation in steps(family, task):
            result = await tool.run(action.removeprefix("python[")[:-1], ToolLimits(timeout_seconds=20), files)
            assert (result.status, result.output) == ("ok", observation), (family.name, action)
            files = dict(files if result.files is None else result.files)
        judged = DOMAIN.judge(Submission(result.output, files), task)
        assert isinstance(judged, Verification) and judged.correct is True, (family.name, judged.explanation)


@every_family
def test_samples_are_accepted_and_described(family: StagedFamily) -> None:
    tasks = instances(family, SAMPLES)
    assert len({task.description for task in tasks}) >= 0.9 * len(tasks)
    assert len({task.reference for task in tasks}) >= 0.9 * len(tasks)
    for task in tasks:
        assert family.check(task.parameters, task.difficulty) is None
        assert task.domain == "long_horizon" and task.reference_action == ""
        assert task == family.task(task.parameters, task.wording, task.difficulty)
        assert len(steps(family, task)) >= 2
        for name in task.files:
            assert name in task.description
        assert all("\n" not in action and len(action) < 160 for action, _ in steps(family, task))


@every_family
def test_difficulty_is_more_data_and_more_to_calculate(family: StagedFamily) -> None:
    def size(difficulty: float) -> float:
        rng = random.Random(7)
        drawn = [family.task(family.sample(rng, difficulty), 0, difficulty) for _ in range(40)]
        return sum(len(task.description) + sum(map(len, task.files.values())) for task in drawn)

    sizes = [size(difficulty) for difficulty in (0.0, 0.5, 1.0)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[2]


def test_families_are_as_promised() -> None:
    known = [family.name for family in FAMILIES]
    others = {f.name for domain in (MathDomain(), CodeDomain()) for split in SPLITS for f in domain.families(split)}
    assert len(set(known)) == len(known) and others.isdisjoint(known)
    counts = {split: len(DOMAIN.families(split)) for split in SPLITS}
    assert counts == {"practised": 10, "held_out": 3, "validation": 1}
    assert all("family" not in family.parameters for family in FAMILIES)


def test_no_family_that_is_never_practised_shares_its_first_stage_with_a_practised_one() -> None:
    def skeletons(*splits: str) -> set[str]:
        of = [family for family in STAGED if family.split in splits]
        return {signature(steps(family, task)[0][0]) for family in of for task in instances(family, 10)}

    assert skeletons("practised").isdisjoint(skeletons("held_out", "validation"))


def test_a_worked_example_has_a_call_a_stage() -> None:
    shown = DOMAIN.demonstrations("file_scaling", 2, random.Random(5))
    assert shown == DOMAIN.demonstrations("file_scaling", 2, random.Random(5))
    lines = render(shown[0]).split("\n")
    assert [line.partition(":")[0] for line in lines] == ["Action", "Observation"] * 3 + ["Answer"]
    assert lines[-1] == f"Answer: {shown[0].observation}"
    assert "sum.txt" in lines[2] and lines[2] == f"Action: {shown[0].steps[1][0]}"


@every_family
def test_worked_examples_are_read_as_they_are_written(family: StagedFamily) -> None:
    for example in DOMAIN.demonstrations(family.name, 6, random.Random(2)):
        for written, _ in (*example.steps, (example.action, example.observation)):
            [action] = parse(f"Action: {written}").actions
            assert f"{action.tool}[{action.input}]" == written
        assert parse(f"Answer: {example.answer}").answer == example.answer


def test_an_example_of_one_call_is_rendered_as_ever() -> None:
    assert render(Demonstration("d", "python[1+1]", "2", "2")) == "Action: python[1+1]\nObservation: 2\nAnswer: 2"


def test_mixed_demonstrations_are_one_constant_text_of_practised_families() -> None:
    shown = DOMAIN.mixed_demonstrations(4)
    assert len(shown) == 4 and shown == LongHorizonDomain().mixed_demonstrations(10)[:4]
    assert {DOMAIN.family(name).split for name in DOMAIN.mixture} == {"practised"} and len(set(DOMAIN.mixture)) == 10


def test_there_is_no_second_instance() -> None:
    task = instances(STAGED[0], 2)[0]
    assert DOMAIN.second_instance(task, steps(STAGED[0], task)[0][0], random.Random(1)) is None
