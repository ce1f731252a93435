"""`agent0es tools`: the list, and calls by hand within the limits of a run."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from agent0es.cli.main import cli
from agent0es.configuration import load_configuration
from agent0es.errors import ConfigurationError, UserError
from agent0es.tools.policy import policy_of
from tests.unit.tools.sandboxes import needs_sandbox


def tools(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(cli, ["tools", *arguments], **options)


def test_the_list_has_every_tool_with_its_limits() -> None:
    lines = [
        json.loads(line) for line in tools("list", "--json", "--set", "tools.timeout_seconds=3").stdout.splitlines()
    ]
    assert {line["tool"]: line["enabled"] for line in lines} == {
        "math": True, "plan": False, "python": True, "shell": False, "tests": False
    }  # fmt: skip
    assert all(line["timeout_seconds"] == 3 and line["description"] and line["schema"]["type"] for line in lines)
    assert "cat" in next(line["allow"] for line in lines if line["tool"] == "shell")
    assert "runs Python code" in tools("list").stdout


@needs_sandbox
def test_a_call_by_hand_says_all_that_an_audit_would() -> None:
    result = tools("run", "python", "--code", "print(2 + 3)", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (found["status"], found["stdout"], found["denied"], found["stderr"]) == ("ok", "5", [], None)
    policy = policy_of(load_configuration(environment={}).tools, "python", "math")
    assert (found["policy_sha256"], found["limits"]["timeout_seconds"]) == (policy.sha256, 5)
    assert found["resources"].keys() == {
        "wall_seconds",
        "cpu_seconds",
        "peak_memory_mb",
        "stdout_bytes",
        "stderr_bytes",
    }


@needs_sandbox
def test_a_call_by_hand_finds_a_folders_files_and_leaves_them(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1\n2\n")
    (tmp_path / "link").symlink_to("/etc/passwd")
    shown = tools("run", "shell", "--code", "wc -l *", "--dir", str(tmp_path))
    assert (shown.exit_code, shown.stdout.splitlines()[1]) == (0, "2 a.txt")
    written = tools("run", "python", "--code", "open('a.txt', 'w').write('x')", "--dir", str(tmp_path), "--json")
    assert json.loads(written.stdout)["files"] == {"a.txt": "x"}
    assert (tmp_path / "a.txt").read_text() == "1\n2\n"


@needs_sandbox
def test_limits_and_refusals_hold_by_hand_too(tmp_path: Path) -> None:
    late = tools("run", "python", "--code", "while True: pass", "--set", "tools.timeout_seconds=0.5", "--json")
    assert (late.exit_code, json.loads(late.stdout)["status"]) == (1, "timeout")
    refused = tools("run", "shell", "--input", "-", input="sed e")
    assert refused.exit_code == 1 and "refused: command sed" in refused.stdout


def test_mistakes_are_said() -> None:
    assert isinstance(tools("run", "python").exception, ConfigurationError)
    assert isinstance(tools("run", "python", "--input", "/nowhere").exception, UserError)
    assert isinstance(tools("run", "python", "--code", "1", "--dir", "/nowhere").exception, ConfigurationError)


def test_a_task_domain_that_is_not_there_is_named() -> None:
    for command in (["list"], ["run", "python", "--code", "1"]):
        error = tools(*command, "--domain", "maths").exception
        assert isinstance(error, ConfigurationError)
        assert str(error).startswith("no task domain is called 'maths': did you mean 'math'?")
