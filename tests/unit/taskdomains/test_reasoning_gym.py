"""Every family, over all levels: its answer by two other routes, wrong answers, its second instance, replays.

In the suite the samples are few; `AGENT0ES_SAMPLES=1000` in the environment makes them as many.
"""

import ast
import asyncio
import calendar
import itertools
import json
import math
import os
import random
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import sympy

from agent0es.bootstrap import load_rewards
from agent0es.configuration import CurriculumSettings
from agent0es.decisions.propose import novelty_of
from agent0es.domain import events as ev
from agent0es.domain.task import Submission, Task
from agent0es.errors import ConfigurationError
from agent0es.history.verification import Rules, verify_decisions
from agent0es.log import EventLog
from agent0es.models.base import GenerationRequest, Weights
from agent0es.models.embedder import Embedder
from agent0es.models.scripted import ScriptedBackend
from agent0es.projections.novelty import NoveltyIndex
from agent0es.rollouts.toolbox import Toolbox
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from agent0es.taskdomains.base import Split
from agent0es.taskdomains.code import CodeDomain
from agent0es.taskdomains.logic import LogicDomain
from agent0es.taskdomains.long_horizon import LongHorizonDomain
from agent0es.taskdomains.math import AdvancedMathDomain, MathDomain
from agent0es.taskdomains.reasoning_gym import INSTALL, ReasoningGymDomain, verifier
from agent0es.taskdomains.reasoning_gym.families import FAMILIES
from agent0es.taskdomains.reasoning_gym.families.common import Compare, GymFamily
from agent0es.tools.base import NO_FILES, ToolLimits, ToolResult
from agent0es.tools.python import PythonTool
from tests.support import world
from tests.unit.tools.sandboxes import LIMITS, needs_sandbox, real

pytest.importorskip("reasoning_gym", reason="the extra `gym` is not installed")

ROOT = Path(__file__).parents[3]
SAMPLES = int(os.environ.get("AGENT0ES_SAMPLES", "12"))
DOMAIN = ReasoningGymDomain()
NAMES = {
    **{name: getattr(math, name) for name in ("comb", "gcd", "lcm", "prod")},
    **{name: getattr(sympy, name) for name in ("Eq", "solve", "symbols")},
    **{kind.__name__: kind for kind in (date, timedelta, Decimal, Fraction, itertools.product)},
    **{module.__name__: module for module in (calendar, np, re, sympy)},
}
every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


def instances(family: GymFamily, count: int) -> list[Task]:
    """Tasks of rising difficulty."""
    rng = random.Random(family.name)
    difficulties = [i / (count - 1) for i in range(count)]
    return [family.task(family.sample(rng, difficulty), 0, difficulty) for difficulty in difficulties]


def tool_input(task: Task) -> str:
    return task.reference_action.removeprefix("python[")[:-1]


def observe(code: str) -> str:
    """What the python tool prints, for code of ours."""
    names = dict(NAMES)
    tree = ast.parse(code)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    exec(compile(tree, "action", "exec"), names)
    return str(eval(compile(ast.Expression(last.value), "action", "eval"), names))


def correct(answer: str | None, task: Task) -> bool | None:
    return DOMAIN.judge(Submission(answer), task).correct


def wrong_answers(task: Task, others: Sequence[Task]) -> list[str]:
    """What other instances have for an answer, and what is nearly right."""
    near = [f"{task.reference}1", f"1{task.reference}", task.reference[:-1] + "?", "no answer at all"]
    if task.reference not in ("True", "False"):
        near += ["True", "False"]
    items = re.split(r", |\s", task.reference)
    if len(items) > 1:
        near.append(task.reference.removesuffix(items[-1]))
    return [*near, *(other.reference for other in others if other.reference != task.reference)]


@every_family
def test_the_answer_is_what_another_computation_and_the_librarys_scorer_say(family: GymFamily) -> None:
    tasks = instances(family, SAMPLES)
    for task in tasks:
        assert family.check(task.parameters, task.difficulty) is None
        assert 10 < len(task.description) <= 1000 and task.domain == "reasoning_gym"
        assert observe(tool_input(task)) == task.reference, task
        assert family.split != "practised" or len(task.reference_action) < 200, "more than a turn's tokens by default"
        assert correct(task.reference, task) is True
        assert family.item_of is not None
        dataset, item = family.item_of(**task.parameters)
        assert dataset.score_answer(task.reference, item) == 1.0, (task.reference, item["answer"])


@every_family
def test_wrong_answers_are_refused(family: GymFamily) -> None:
    tasks = instances(family, 12)
    for task in tasks:
        for answer in wrong_answers(task, tasks):
            assert correct(answer, task) is False, (answer, task.reference)
        assert correct(None, task) is False and correct(" ", task) is False


@every_family
def test_one_answer_does_not_serve_all_and_texts_differ(family: GymFamily) -> None:
    tasks = instances(family, 100)
    answers = [task.reference for task in tasks]
    assert max(map(answers.count, answers)) <= 60
    assert len({task.description for task in tasks}) >= 90


@every_family
def test_difficulty_is_a_level_of_the_librarys_curriculum(family: GymFamily) -> None:
    rng = random.Random(2)
    levels = [family.sample(rng, difficulty / 20)["level"] for difficulty in range(21)]
    assert levels == sorted(levels) and levels[0] == 0  # type: ignore[type-var]
    assert set(levels) == set(range(int(levels[-1]) + 1)) and len(set(levels)) >= 3


@every_family
def test_code_can_be_moved_to_a_second_instance_with_another_answer(family: GymFamily) -> None:
    rng = random.Random(3)
    for task in instances(family, 8):
        moved = DOMAIN.second_instance(task, tool_input(task), rng)
        assert moved is not None, task
        second, code = moved
        assert second.parameters["level"] == task.parameters["level"] and second.description != task.description
        assert correct(observe(code), second) is True
        assert correct(task.reference, second) is False, (task.reference, second.reference)
        assert DOMAIN.second_instance(task, repr(f"{task.reference} "), rng) is None, "a constant is no solution"


def test_code_that_is_right_by_luck_is_recognised() -> None:
    family = DOMAIN.family("gym_course_schedule")
    tried = caught = 0
    for task in instances(family, 40):
        code = f"len({family.facts(task.parameters)['pairs']}) > 0"
        if task.reference == "True":
            moved = DOMAIN.second_instance(task, code, random.Random(1))
            assert moved is not None
            tried += 1
            caught += correct(observe(moved[1]), moved[0]) is False
    assert tried >= 10 and caught == tried


MADE = """
import hashlib, json, random
import reasoning_gym
from agent0es.taskdomains.reasoning_gym.families import FAMILIES
made = []
before = random.getstate()
for family in FAMILIES:
    for i in range(4):
        rng = random.Random(f"{family.name}/{i}")
        made.append(family.task(family.sample(rng, i / 3), 0, i / 3).model_dump_json())
assert random.getstate() == before, "nobody else's random numbers are touched"
print(hashlib.sha256(json.dumps(made).encode()).hexdigest())
"""


def test_the_same_parameters_make_the_same_task_in_every_process() -> None:
    hashes = set()
    for seed in ("0", "12345"):
        done = subprocess.run(
            [sys.executable, "-c", MADE],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        hashes.add(done.stdout)
    assert len(hashes) == 1


def test_there_are_enough_datasets_and_their_names_are_their_own() -> None:
    names = [family.name for family in FAMILIES]
    splits: tuple[Split, ...] = ("practised", "held_out", "validation")
    others = (MathDomain(), AdvancedMathDomain(), LogicDomain(), CodeDomain(), LongHorizonDomain())
    taken = {family.name for other in others for split in splits for family in other.families(split)}
    assert len(set(names)) == len(names) and taken.isdisjoint(names)
    items = [family.item_of(level=0, variant=1)[1] for family in FAMILIES if family.item_of is not None]
    assert len({item["metadata"]["source_dataset"] for item in items}) >= 30
    assert [len(DOMAIN.families(split)) >= least for split, least in zip(splits, (24, 8, 2), strict=True)] == [True] * 3
    practised = {family.reference_action for family in DOMAIN.families("practised")}
    assert practised.isdisjoint(family.reference_action for family in FAMILIES if family.split != "practised")


def test_a_practised_family_has_enough_tasks_that_are_novel() -> None:
    """A long text that is always the same around a few digits may leave nothing new for the embedding to see."""
    bar = CurriculumSettings().novelty_bar
    embedder = Embedder()
    novel = {}
    for family in DOMAIN.families("practised"):
        index = NoveltyIndex()
        for number, vector in enumerate(asyncio.run(embedder.embed([t.description for t in instances(family, 12)]))):
            if novelty_of(index.nearest(vector)) >= bar:
                index.add(number, vector)
        novel[family.name] = index.size
    assert [name for name, count in novel.items() if count < 4] == []


def test_demonstrations_are_repeatable_and_of_practised_families() -> None:
    shown = DOMAIN.demonstrations("gym_gcd", 4, random.Random(5))
    assert shown == DOMAIN.demonstrations("gym_gcd", 4, random.Random(5)) and len({one.answer for one in shown}) > 1
    mixed = DOMAIN.mixed_demonstrations(16)
    assert mixed[:8] == ReasoningGymDomain().mixed_demonstrations(8) and len(mixed) == 16
    assert {DOMAIN.family(name).split for name in DOMAIN.mixture} == {"practised"}
    with pytest.raises(ConfigurationError, match="did you mean 'gym_gcd'"):
        DOMAIN.family("gym_gdc")


@pytest.mark.parametrize(
    ("answer", "reference", "compare", "verdict"),
    [
        ("1,234", "1234", "number", True),
        ("0.5", "1/2", "number", True),
        ("2176542.64", "2176542.65", "number", False),
        ("__import__('os').getpid()", "12", "number", False),
        ("9" * 1900, "12", "number", False),
        ("9" * 2100, "12", "number", None),
        ("0X8E0A", "0x8e0a", "hexadecimal", True),
        ("-8e0a", "0x8e0a", "hexadecimal", False),
        ("36362", "0x8e0a", "hexadecimal", False),
        ("100000", "1e5", "text", False),
        ("1e5", "100000", "text", False),
        ("monday.", "Monday", "text", True),
        ("Abc", "abc", "text", False),
        ("1 2  3", "1 2 3", "text", True),
        ("[1.50, 2]", "['1.5', '2.0']", "items", True),
        ('["1.5", "2.0"]', "['1.5', '2.0']", "items", True),
        ("2.0, 1.5", "['1.5', '2.0']", "items", False),
        ("b,  a", "b, a", "items", True),
        ("[]", "[]", "items", True),
        ("", "[]", "items", False),
        ("839 * 5", "5 × 839", "factors", True),
        ("5 x 839", "5 × 839", "factors", True),
        ("4195", "5 × 839", "factors", False),
        ("١٢", "12", "number", False),
        ("\x00", "12", "text", False),
        ("**12**", "12", "number", True),
        ("\\boxed{\\frac{1}{2}}", "1/2", "number", True),
        ("12 marbles", "12", "number", True),
        ("$13 marbles", "12", "number", False),
        ("6 + 6", "12", "number", False),
        ("12%", "12", "number", False),
        ("not 12", "12", "number", None),
        ("**Answer:** `monday`", "Monday", "text", True),
        ("It is not monday, I think.", "Monday", "text", None),
        ("\\text{abc}", "abc", "text", True),
        ("\\boxed{abd}", "abc", "text", False),
        ("$[1.5, 2.0]$", "['1.5', '2.0']", "items", True),
    ],
)
def test_what_the_verifier_takes(answer: str, reference: str, compare: Compare, verdict: bool | None) -> None:
    assert verifier.judge(answer, reference, compare).correct is verdict


def test_answers_that_say_the_same_count_as_one() -> None:
    assert DOMAIN.normal_form("[1.50, 2]") == DOMAIN.normal_form("['1.5', '2']") != DOMAIN.normal_form("[2, 1.5]")
    assert DOMAIN.normal_form("Monday.") == DOMAIN.normal_form("monday")
    assert DOMAIN.normal_form(" ") is None and DOMAIN.normal_form(None) is None


@pytest.mark.parametrize(
    ("answer", "reference"),
    [("12.0", "12"), ("7 × 3", "3 × 7"), ("8E0A", "0x8e0a"), ("monday", "Monday"), ("a,b", "a, b")],
)
def test_an_answer_can_be_judged_by_hand_without_a_family(answer: str, reference: str) -> None:
    task = instances(FAMILIES[0], 2)[0].model_copy(update={"family": "", "reference": reference})
    assert correct(answer, task) is True and correct(f"{answer}1", task) is False
    assert DOMAIN.second_instance(task, answer, random.Random(1)) is None


WITHOUT = """
import sys
from importlib.metadata import EntryPoint
sys.modules["reasoning_gym"] = None
from agent0es import taskdomains
where = "agent0es.taskdomains.reasoning_gym:ReasoningGymDomain"
taskdomains.entry_points = lambda group: [EntryPoint("reasoning_gym", where, group)]
from agent0es.cli.main import main
sys.argv = ["agent0es", "run", "--domains", "reasoning_gym", "--store", sys.argv[1]]
main()
"""


def test_where_the_library_is_missing_one_line_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, f"agent0es: {INSTALL}\n")


def test_the_domain_is_there_before_the_library_is_imported() -> None:
    code = (
        "import sys; from agent0es.taskdomains.reasoning_gym import ReasoningGymDomain as D; "
        "D().families('practised')[0].check({'level': 0, 'variant': 1}, 0.0); "
        "print([name for name in ('reasoning_gym', 'matplotlib', 'numpy', 'sympy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@needs_sandbox
def test_reference_actions_run_in_the_sandbox() -> None:
    tasks = [instances(family, 3)[1] for family in FAMILIES]

    async def observations() -> list[ToolResult]:
        sandbox = real()
        try:
            return [await PythonTool(sandbox).run(tool_input(task), LIMITS) for task in tasks]
        finally:
            await sandbox.close()

    printed = [(result.status, result.output.strip()) for result in asyncio.run(observations())]
    assert printed == [("ok", task.reference) for task in tasks]


class SmallDomain(ReasoningGymDomain):
    """A few families, so that an evaluation is short."""

    def families(self, split: Split) -> Sequence[GymFamily]:
        chosen = {"practised": ("gym_gcd", "gym_spell_backward", "gym_weekday_of_date"), "held_out": ("gym_lcm",)}
        return [self.family(name) for name in chosen.get(split, ())]


class TrustedPython:
    """Evaluates reference actions, which are ours, in this process."""

    name, description, allowed = "python", "", ()
    schema: Mapping[str, object] = {}

    async def run(self, text: str, limits: ToolLimits, files: Mapping[str, str] = NO_FILES) -> ToolResult:
        try:
            output = observe(text)
        except (SyntaxError, AssertionError) as error:
            return ToolResult("error", type(error).__name__, 1, 0, 0, 0.01, 0.01, 1.0, "memory")
        return ToolResult("ok", output, 0, len(output), 0, 0.01, 0.01, 1.0, "memory")


def test_a_run_of_the_domain_verifies_to_its_last_decision(tmp_path: Path) -> None:
    actions: dict[str, str] = {}

    def respond(request: GenerationRequest, adapter: str | None) -> str:
        question, said, seed = request.messages[-1].content, request.prefill, request.seed
        if question.startswith("Families:"):
            family = DOMAIN.family(question.removeprefix("Families:").split(",")[0].strip())
            parameters = family.sample(random.Random(seed), 0.0)
            task = family.task(parameters, 0, 0.0)
            actions[task.description] = tool_input(task)
            return json.dumps({"family": family.name, **parameters})
        observations = re.findall(r"Observation: (.*)", said)
        if observations:
            return (" " if said.endswith("Answer:") else "Answer: ") + observations[-1]
        call = f"python[{actions.get(question, '0') if seed % 4 else '1'}]"
        return f" {call}\n" if said.endswith("Action:") else f"Action: {call}\n"

    with EventLog.open(tmp_path / "log.db") as log:
        settings = ("curriculum.domains=[reasoning_gym]", "curriculum.novelty_bar=0", "execution.tasks_per_iteration=8")
        world.begin(log, "run", *settings)
        configuration = configuration_of(log, "run")
        model = ScriptedBackend(respond, weights=Weights("scripted", tmp_path / "base.gguf", "b" * 64))
        ports = replace(
            world.ports(tmp_path, log, "run", configuration),
            domains={"reasoning_gym": SmallDomain()},
            models={"teacher": model, "student": model},
            toolbox=Toolbox({"python": TrustedPython()}, world.agree),
        )
        asyncio.run(drive(ports, []))
        rules = Rules({"reasoning_gym": SmallDomain()}, load_rewards(configuration.rewards.weights))
        report = asyncio.run(verify_decisions(log, "run", rules))
        events = [recorded.event for recorded in log.read(run="run")]
    assert report.difference is None
    judged = [event for event in events if isinstance(event, ev.Verified) and event.task is not None]
    assert {event.verification.correct for event in judged} == {True, False}
    seconds = [event.second_instance for event in judged if event.verification.correct]
    assert True in seconds and False not in seconds
    assert len({event.proposal.family for event in events if isinstance(event, ev.TaskProposed)}) == 3
