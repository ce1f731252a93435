"""A program is our modules, known by their hash; what is hostile is its data."""

import ast
import json
import sys
from pathlib import Path

import pytest

from agent0es.domain import events as ev
from agent0es.domain.program import Program
from agent0es.log import EventLog, NewEvent
from agent0es.sandbox import open_sandbox
from agent0es.sandbox.programs import program_of
from agent0es.sandbox.tiers import PACKAGES
from agent0es.tools import ToolLimits, run_program
from tests.unit.log.samples import begin
from tests.unit.tools.sandboxes import needs_sandbox

PROGRAMS = (
    *(f"agent0es.tools.inside.{name}" for name in ("evaluate_python", "evaluate_math", "run_calls", "run_tests")),
    "agent0es.tools.inside.shell_commands",
    "agent0es.taskdomains.math.compare_expressions",
    "agent0es.taskdomains.math.derivation",
    "agent0es.taskdomains.logic.solve_formulas",
)
LIMITS = ToolLimits(timeout_seconds=20.0)


def write(folder: Path, **modules: str) -> None:
    package = folder / "some_plugin"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for name, text in modules.items():
        (package / f"{name}.py").write_text(text)


@pytest.fixture(autouse=True)
def _importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "some_plugin", raising=False)
    program_of.cache_clear()


def test_a_program_is_a_module_and_what_it_imports_of_its_package_in_order(tmp_path: Path) -> None:
    write(
        tmp_path,
        rules="LIMIT = 3\n",
        words="from some_plugin.rules import LIMIT\n",
        start="import json\nfrom some_plugin.words import LIMIT\n\n\ndef main():\n    print(LIMIT)\n",
    )
    program = program_of("some_plugin.start")
    assert list(program.modules) == ["some_plugin.rules", "some_plugin.words", "some_plugin.start"]
    assert program.name == "some_plugin.start"


def test_another_text_is_another_program(tmp_path: Path) -> None:
    write(tmp_path, start="def main():\n    print(1)\n")
    before = program_of("some_plugin.start")
    (tmp_path / "some_plugin/start.py").write_text("def main():\n    print(2)\n")
    program_of.cache_clear()
    assert program_of("some_plugin.start").sha256 != before.sha256


def test_modules_in_a_circle_and_what_is_no_module_are_refused(tmp_path: Path) -> None:
    write(tmp_path, a="from some_plugin.b import B\n", b="from some_plugin.a import A\n")
    with pytest.raises(ValueError, match=r"some_plugin\.a → some_plugin\.b → some_plugin\.a"):
        program_of("some_plugin.a")
    for name in ("some_plugin.none", "some_plugin", "math"):
        with pytest.raises(ValueError, match="is no module"):
            program_of(name)


def imported(program: Program) -> set[str]:
    """Top names that the program's modules import from outside their package."""
    found = set()
    for text in program.modules.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
    return found - {program.name.partition(".")[0], "solution"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_our_programs_import_nothing_that_is_not_there_inside(name: str) -> None:
    assert imported(program_of(name)) <= {*sys.stdlib_module_names, *PACKAGES}


@needs_sandbox
async def test_a_call_in_the_log_can_be_run_again_after_the_code_has_changed(tmp_path: Path) -> None:
    write(
        tmp_path,
        rules="FACTOR = 2\n",
        start="import json, sys\nfrom some_plugin.rules import FACTOR\n\n\n"
        "def main():\n    print(FACTOR * json.load(sys.stdin)['n'])\n" + "# long\n" * 40,
    )
    asked = ev.ToolRequested(
        call="1/0#v", attempt="1/0", tool="python", input=json.dumps({"n": 21}), purpose="verification",
        program=program_of("some_plugin.start"), timeout_seconds=5.0, memory_limit_mb=512,
    )  # fmt: skip
    with EventLog.open(tmp_path / "log.db") as log:
        begin(log, "r")
        log.append([NewEvent("attempt/r/1/0", asked), NewEvent("attempt/r/1/0", asked)], handler="verify")
        (tmp_path / "some_plugin/rules.py").write_text("FACTOR = 1000\n")
        [first, second] = log.read(run="r", types=["ToolRequested"])
        stored = [row.content for row in log.raw(run="r") if row.type == "ToolRequested"]
    assert first.event == second.event == asked
    assert all(f'"source":{{"$text":"{asked.program.sha256}"}}' in content for content in stored), "kept once"  # type: ignore[union-attr]
    async with open_sandbox() as sandbox:
        again = first.event
        assert isinstance(again, ev.ToolRequested) and again.program is not None
        result = await run_program(sandbox, again.program, again.input, LIMITS)
    assert (result.status, result.output) == ("ok", "42")
