"""Commands in the documentation work: each line of a `sh` block is run, on a scripted model where a model is needed."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from agent0es.cli.main import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SCRIPT = "tests.support.scripted:respond"
ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "AGENT0ES_MODELS__STUDENT__BACKEND": "scripted",
    "AGENT0ES_MODELS__STUDENT__NAME": SCRIPT,
    "AGENT0ES_MODELS__TEACHER__BACKEND": "scripted",
    "AGENT0ES_MODELS__TEACHER__NAME": SCRIPT,
    "AGENT0ES_TRAINING__MINIMUM_EXAMPLES": "10000",
    "AGENT0ES_EXECUTION__TASKS_PER_ITERATION": "6",
}


def commands() -> list[str]:
    """Every line of every `sh` block, without comments."""
    lines = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            lines += [line.split(" #")[0].strip() for line in block.splitlines()]
    return [line for line in lines if line]


def agent0es(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "agent0es", *arguments],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a user has it, with one finished run in its store."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "configs").symlink_to(ROOT / "configs")
    done = agent0es(folder, "run", "--iterations", "1")
    assert done.returncode == 0, done.stderr
    return folder


ELSEWHERE = ("agent0es train ",)
"""Needs a trained adapter: tests/integration/provenance/test_rebuilding.py runs the documented line."""


@pytest.mark.parametrize(
    "command", [line for line in commands() if line.startswith("agent0es") and not line.startswith(ELSEWHERE)]
)
def test_a_documented_command_works(folder: Path, command: str) -> None:
    if "reasoning_gym" in command:
        pytest.importorskip("reasoning_gym", reason="the extra `gym` is not installed")
    words = shlex.split(command.replace("/tmp/", f"{folder}/"))
    if words[1] == "run" and "--config" in words:  # its file names the real model; the environment wins
        words += ["--iterations", "1"]
    if "--tasks" in words:
        words[words.index("--tasks") + 1] = "6"
    done = agent0es(folder, *words[1:])
    assert done.returncode == 0, done.stderr
    assert done.stdout or "-o" in words


def test_every_command_has_an_example() -> None:
    def leaves(group: click.Group, *path: str) -> Iterator[str]:
        for name, command in group.commands.items():
            if isinstance(command, click.Group):
                yield from leaves(command, *path, name)
            else:
                yield " ".join(["agent0es", *path, name]).removesuffix(" list")  # which may be left out

    documented = [f"{line} " for line in commands()]
    assert [name for name in leaves(cli) if not any(line.startswith(f"{name} ") for line in documented)] == []


def test_documented_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {line.split()[1] for line in commands() if line.startswith("make ")}
    assert {"run", "test"} <= named <= targets
