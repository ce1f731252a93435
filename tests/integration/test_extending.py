"""docs/extending.md as it stands: its package, installed outside the tree, is listed, checked, used and verified."""

import json
import math
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_docs import ROOT
from tests.unit.tools.sandboxes import needs_sandbox

PAGE = (ROOT / "docs" / "extending.md").read_text()
LONGEST_SNIPPET = 30
STAND_IN = """
from agent0es.taskdomains import load_task_domains
from tests.support import scripted

def families():
    domains = load_task_domains(["clock_times", "math"], ["digit_spread"]).values()
    return {family.name: family for domain in domains for family in domain.families("practised")}

scripted.families = families

respond = scripted.respond
"""
"""The teacher."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's files; `site` in it holds the package as pip leaves it."""
    folder = tmp_path_factory.mktemp("extending")
    for text in [*blocks("toml"), *blocks("python"), *blocks("yaml")]:
        name = re.match(r"# (\S+)\n", text)
        assert name, text
        path = folder / "site" / name[1] if "/" in name[1] else folder / name[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "site" / "clockwork" / "__init__.py").touch()
    (folder / "site" / "stand_in.py").write_text(STAND_IN)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    metadata = folder / "site" / f"{project['name']}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (metadata / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {what}\n" for name, what in points.items())
            for group, points in project["entry-points"].items()
        )
    )
    return folder


def agent0es(folder: Path, *arguments: str, installed: bool = True) -> "subprocess.CompletedProcess[str]":
    models = {"AGENT0ES_MODELS__TEACHER__BACKEND": "scripted", "AGENT0ES_MODELS__TEACHER__NAME": "stand_in:respond"}
    path = [folder / "site", ROOT] if installed else [ROOT]
    return python(folder, path, "agent0es", *arguments, AGENT0ES_TRAINING__MINIMUM_EXAMPLES="999", **models)


def pytest_in(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return python(folder, [folder / "site"], "pytest", "-rf", "-p", "no:cacheprovider", *arguments)


def python(
    folder: Path, path: list[Path], module: str | None, *arguments: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-B", *(["-m", module] if module else ["-c"]), *arguments],
        cwd=folder,
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def of_type(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event["content"] for event in events if event["type"] == kind]


def output(folder: Path, *arguments: str) -> str:
    done = agent0es(folder, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_no_part_is_longer_than_promised() -> None:
    for block in blocks("python"):
        code = [line for line in block.splitlines()[1:] if line]  # the first line is the file's name
        assert len(code) < LONGEST_SNIPPET, block


def test_all_parts_are_listed_with_their_package_and_sound(folder: Path) -> None:
    rows = [json.loads(line) for line in output(folder, "plugins", "list", "--json").splitlines()]
    own = {row["name"]: row["package"] for row in rows if not row["built_in"]}
    assert own == dict.fromkeys(
        ("clock", "clock_times", "digit_spread", "thrift", "watchmaker", "focal", "smooth"), "clockwork 1.0"
    )
    assert "broken" not in output(folder, "plugins", "check")


def test_a_judge_and_a_family_are_tried_by_hand(folder: Path) -> None:
    lines = [shlex.split(line) for block in blocks("console") for line in block.splitlines()]
    [judge] = [words for words in lines if words[1] == "verify"]
    assert output(folder, *judge[1:]).startswith("correct: ")
    [code] = [words[2] for words in lines if words[0] == "python"]
    shown = python(folder, [folder / "site", ROOT], None, code).stdout.splitlines()
    assert len(shown) == 3 and all(" digit of " in line and "action='python[int(max(" in line for line in shown)


def test_the_method_takes_a_loss_on_what_it_reads(folder: Path) -> None:
    row = {"messages": [{"role": "user", "content": "q"}], "segments": [["an answer", True]]}
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    code = """
import math, torch
from pathlib import Path
from tokenizers import Tokenizer, models, pre_tokenizers
from agent0es.configuration import TrainingSettings
from agent0es.training.methods import load_method
from tests.support.templates import CHATML

alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
tokenizer = Tokenizer(models.BPE(vocab={one: at for at, one in enumerate(alphabet)}, merges=[]))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
method, settings = load_method("focal"), TrainingSettings(method="focal")
[unit] = method.read(Path("rows.jsonl"), CHATML, tokenizer, settings)
now = torch.full((unit.labels,), math.log(0.5))
loss, metrics = method.loss(now, [unit], settings)
print(unit.labels, loss.item() / unit.weight, metrics["unsure"] / unit.weight)
"""
    done = python(folder, [folder / "site", ROOT], None, code)
    assert done.returncode == 0, done.stderr
    labels, loss, unsure = map(float, done.stdout.split())
    assert labels == len("an answer<|im_end|>")
    assert loss == pytest.approx(0.5 * math.log(2)) and unsure == pytest.approx(0.5)


@needs_sandbox
def test_the_tool_works_in_the_sandbox(folder: Path) -> None:
    [command] = [line for block in blocks("console") for line in block.splitlines() if " tools run " in line]
    words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)][1:]
    assert output(folder, *words).splitlines()[1:] == ["0:15"]  # after the status and the tier
    wrong = agent0es(folder, "tools", "run", "clock", "--code", "__import__('os')", "--json")
    assert (wrong.returncode, json.loads(wrong.stdout)["output"]) == (1, "ValueError: write it as 9:40 + 95")


@needs_sandbox
def test_the_contract_tests_hold_and_can_fail(folder: Path) -> None:
    command = next(line for block in blocks("console") for line in block.splitlines() if line.startswith("pytest "))
    assert pytest_in(folder, *command.split()[1:]).returncode == 0
    tests = (folder / "test_clockwork.py").read_text()
    few = tests.replace('name = "clock_times"', 'name = "clock_times"; tasks_at_each_difficulty = 1')
    (folder / "test_wrong.py").write_text(few.replace('"0:15"', '"1:15"'))
    broken = {
        "reward.py": ("return inputs.score", "return 2 * inputs.score"),
        "family.py": ("min(map(int, str(n)))", "int(str(n)[0])"),
        "domain.py": ("judge_value(plain(submission.answer)", "judge_value(task.reference"),
        "model.py": ("text[:end]", "text"),
    }
    for name, (right, wrong) in broken.items():
        path = folder / "site" / "clockwork" / name
        text = path.read_text()
        assert right in text
        path.write_text(text.replace(right, wrong))
        path.with_suffix(".right").write_text(text)
    shown = pytest_in(folder, "test_wrong.py").stdout
    failed = set(re.findall(r"FAILED test_wrong.py::(\w+::\w+)", shown))
    assert "assert ('ok', '0:15') == ('ok', '1:15')" in shown, "what fails shows its values"
    for name in broken:
        path = folder / "site" / "clockwork" / name
        path.with_suffix(".right").replace(path)
    assert failed == {
        "TestClock::test_the_examples_hold_alone_and_one_after_the_other",
        "TestThrift::test_it_gives_a_number_from_0_to_1_and_the_same_one_again",
        "TestDigitSpread::test_the_reference_action_gives_a_right_answer",
        "TestClockTimes::test_no_answer_and_nonsense_are_never_right",
        "TestClockTimes::test_the_answers_to_other_tasks_of_the_family_are_not_all_right",
        "TestWatchmaker::test_the_text_ends_before_a_stop_string",
        "TestWatchmaker::test_a_stop_string_at_the_very_start_leaves_nothing",
    }


def test_what_the_model_can_not_do_is_refused_before_the_run(folder: Path) -> None:
    refused = agent0es(folder, "run", "--config", "clockwork.yaml", "--set", "training.roles=[student]")
    assert refused.returncode == 2
    why = "agent0es: models.student: tick can't answer with a trained adapter; set training.roles to []"
    assert refused.stderr.splitlines()[-1] == why


@needs_sandbox
def test_a_run_practises_all_of_it_and_verifies_while_it_is_installed(folder: Path) -> None:
    [command] = [line for block in blocks("console") for line in block.splitlines() if " run --domains" in line]
    output(folder, *command.split()[1:], "--iterations", "1", "--tasks", "40")
    events = [json.loads(line) for line in output(folder, "events", "latest", "--json").splitlines()]
    started, *_ = of_type(events, "RunStarted")
    assert {name: package for name, package in started["plugins"].items() if package == "clockwork 1.0"}.keys() == {
        "agent0es.tools:clock",
        "agent0es.rewards:thrift",
        "agent0es.families:digit_spread",
        "agent0es.task_domains:clock_times",
        "agent0es.models:watchmaker",
    }
    assert "clock" in {call["tool"] for call in of_type(events, "ToolRequested")}
    right = {found["task"] for found in of_type(events, "Verified") if found["verification"]["correct"]}
    later = {made["task"] for made in of_type(events, "TaskProposed") if made["proposal"]["family"] == "later"}
    assert later & right, "the tool's answers are judged right by the domain"
    paid = [given for given in of_type(events, "RewardAssigned") if given["task"] in later & right]
    assert paid and all(given["components"]["thrift"] == 1.0 for given in paid)

    output(folder, "replay", "latest", "--verify")

    gone = agent0es(folder, "replay", "latest", "--verify", installed=False)
    assert gone.returncode == 2
    parts = ("task domain 'clock_times'", "task family 'digit_spread'", "reward component 'thrift'")
    for part in (*parts, "model backend 'watchmaker'"):
        assert f"the {part} of clockwork 1.0" in gone.stderr
    for words in (("show",), ("report", "latest"), ("runs",)):
        assert agent0es(folder, *words, installed=False).returncode == 0
