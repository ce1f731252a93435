"""What `plugins check` tries of a plug-in, and how its own failures are told: in one line, with its package."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent0es.cli.main import cli, main
from tests.support.package import install
from tests.unit.tools.sandboxes import needs_sandbox

MODULE = """
from agent0es.taskdomains import Family, FamilyDomain, Int
from agent0es.tools import program_of, run_program

class Tool:
    name, description, schema, allowed = "homeless", "does nothing", {"type": "string"}, ()
    async def run(self, text, limits, files={}): return "done"

class wordy(Tool):
    name = "wordy"
    allowed = ("cm", "inch")
    def __init__(self, sandbox): pass

def runs(tool, module):
    class Runs(wordy):
        name = tool
        def __init__(self, sandbox): self.sandbox = sandbox
        async def run(self, text, limits, files={}):
            return await run_program(self.sandbox, program_of(module), text, limits)
    return Runs

sound = runs("sound", "inside_odd")
astray = runs("astray", "inside_of_nothing")
headless = runs("headless", "odd")

def family(name, domain):
    return Family(name, "odd", "practised", {"n": Int((1, 9), (1, 99))}, ("What is {n}?",), "python[{n}]",
                  lambda n: str(n), domain=domain)

lost = family("lost", "logick")
gcd = family("gcd", "math")

def bare(): return 1.0
def failing(inputs): return 1 / 0
def unclear(inputs): return float("nan")
def large(inputs): return 1 + inputs.score

class Judges(FamilyDomain):
    name = "judges"
    own = (*(family(name, "") for name in ("one", "two", "three")),
           Family("four", "odd", "held_out", {}, ("What?",), "python[1]", lambda: "1"))
    def judge(self, submission, task): return {}[submission.answer]
"""
PARTS = {
    "agent0es.tools": "Tool:homeless wordy sound astray headless",
    "agent0es.families": "lost gcd",
    "agent0es.rewards": "bare failing unclear large",
    "agent0es.task_domains": "Judges:judges",
}
SAID = {
    "homeless": "can't be made: TypeError: Tool() takes no arguments",
    "wordy": "gives no ToolResult, but str",
    "astray": "raised ValueError: inside_of_nothing is no module of Python text, which a program for the sandbox is",
    "headless": "raised ValueError: odd has no function main, with which a program for the sandbox begins (odd, line ",
    "lost": "has domain='logick', and no task domain is called 'logick': did you mean 'logic'?",
    "gcd": "the domain math has a family 'gcd' of its own",
    "bare": "raised TypeError: bare() takes 0 positional arguments but 1 was given",
    "failing": "raised ZeroDivisionError: division by zero (odd, line ",
    "unclear": "reward component unclear gave nan; it must give a number from 0 to 1",
    "large": "reward component large gave 2.0; it must give a number from 0 to 1",
}


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose parts can be imported, and some of which can't be used."""
    parts = {
        group: {name.partition(":")[2] or name: name.partition(":")[0] for name in names.split()}
        for group, names in PARTS.items()
    }
    install(monkeypatch, tmp_path, "odd", MODULE, parts)
    (tmp_path / "inside_odd.py").write_text("def main():\n    print(7)\n")
    monkeypatch.delitem(sys.modules, "odd", raising=False)


def test_the_check_tries_what_a_run_would() -> None:
    shown = CliRunner().invoke(cli, ["plugins", "check", "--json"], catch_exceptions=False)
    rows = {row["name"]: row for row in map(json.loads, shown.stdout.splitlines())}
    assert {name for name, row in rows.items() if row["status"] == "broken"} == SAID.keys()
    assert rows["sound"]["status"] == rows["judges"]["status"] == "ok"
    for name, said in SAID.items():
        assert said in rows[name]["reason"], name
        assert "\n" not in rows[name]["reason"]


def complaint(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[object, str]:
    """Exit code and what the user reads, as from the command line."""
    monkeypatch.setattr(sys, "argv", ["agent0es", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr().err


def test_a_judge_that_raises_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    said = complaint(capsys, monkeypatch, "verify", "judges", "--reference", "1", "--answer", "one")
    line = MODULE.splitlines().index("    def judge(self, submission, task): return {}[submission.answer]") + 1
    why = f"agent0es: task domain 'judges' (odd:Judges of odd 1.2) raised KeyError: 'one' (odd, line {line})\n"
    assert said == (1, why)


@needs_sandbox
def test_a_tool_that_raises_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = complaint(capsys, monkeypatch, "tools", "run", "astray", "--code", "1")
    assert code == 1 and said.startswith("agent0es: tool 'astray' (odd:astray of odd 1.2) raised ValueError: inside_of")
    assert said.count("\n") == 1


@needs_sandbox
def test_what_a_tool_does_not_have_can_not_be_allowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ("run", "--store", str(tmp_path / "store"), "--set", "tools.enabled=[wordy]")
    found = complaint(capsys, monkeypatch, *run, "--set", "tools.of.wordy.allow=[mm]")
    assert found == (2, "agent0es: tools.of.wordy.allow: wordy has no 'mm'; there are: cm, inch\n")
    words = ("tools", "run", "wordy", "--code", "1", "--set")
    for key in ("tools.of.wordy.allow", "tools.domains.math.wordy.allow"):
        found = complaint(capsys, monkeypatch, *words, f"{key}=[cm, mm]")
        assert found == (2, f"agent0es: {key}: wordy has no 'mm'; there are: cm, inch\n")
    shell = complaint(capsys, monkeypatch, "tools", "run", "shell", "--code", "ls", "--set", "tools.commands=[rm]")
    assert shell[0] == 2 and shell[1].startswith("agent0es: tools.commands: shell has no 'rm'; there are: cat, ")
    allowed = ("tools", "run", "python", "--code", "1", "--set", "tools.of.python.allow=[mailbox]")
    assert complaint(capsys, monkeypatch, *allowed) == (0, "")
