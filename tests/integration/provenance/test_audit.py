"""The audit of sandbox calls: filters, what a crash cut off, and words of a model that try to steer the terminal."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent0es.domain import events as ev
from agent0es.errors import RunNotFound, UnknownName
from agent0es.log import EventLog, NewEvent
from tests.integration.cli.test_query import HOSTILE, on_a_terminal
from tests.support.commands import answer, invoke, json_answer, json_answers
from tests.unit.projections.history import proposed

ROOT = Path(__file__).parents[3]
STEERING = ("\x1b[1A", "\x1b]0;", "\x9b", "\u202e", "\x1b[31m")


def requested(call: str, code: str) -> NewEvent:
    name = call.split("#")[0]
    event = ev.ToolRequested(
        call=call,
        attempt=name,
        tool="python",
        input=code,
        purpose="solution",
        timeout_seconds=5.0,
        memory_limit_mb=512,
    )
    return NewEvent(f"attempt/r/{name}", event)


def ended(call: str, output: str, status: str = "ok") -> NewEvent:
    name = call.split("#")[0]
    event = {"call": call, "attempt": name, "tool": "python", "status": status, "output": output}
    measured = {"wall_seconds": 0.25, "cpu_seconds": 0.125, "peak_memory_mb": 7.5, "stdout_bytes": 3, "stderr_bytes": 0}
    called = ev.ToolCalled.model_validate({**event, "exit_code": 0, "tier": "bubblewrap"})
    return NewEvent(f"attempt/r/{name}", called, measured)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a hostile call, a denied one and one without an end."""
    store = tmp_path_factory.mktemp("calls")
    started = ev.AttemptStarted(attempt="1/0", task=1, seed=1, adapter="student-1", demonstrations=0)
    events = [
        NewEvent("run/r", ev.RunStarted(seed=1, configuration={}, code_version="1", weights={})),
        NewEvent("attempt/r/1/0", started),
        requested("1/0#1", f"first = 1\n{HOSTILE}"),
        ended("1/0#1", HOSTILE),
        requested("1/0#2", HOSTILE),
        ended("1/0#2", "Unknown tool", "denied"),
        requested("1/1#1", "2 + 2"),
    ]
    with EventLog.open(store / "log.db") as log:
        log.append(events, handler="test")
    return store


def test_calls_are_listed_the_newest_last_and_can_be_chosen(finished: Path) -> None:
    every = json_answers(finished, "audit")
    assert [call["position"] for call in every] == sorted(call["position"] for call in every)
    assert [call["call"] for call in json_answers(finished, "audit", "--limit", "3")] == [
        call["call"] for call in every[-3:]
    ]
    [own, second] = json_answers(finished, "audit", "latest", "--attempt", "1/0")
    assert (own["call"], own["purpose"], own["status"], own["tier"]) == ("1/0#1", "solution", "ok", "full")
    assert (own["task"], own["adapter"], own["timeout_seconds"], own["memory_limit_mb"]) == (1, None, 5.0, 512)
    assert own["measured"].keys() == {"wall_seconds", "cpu_seconds", "peak_memory_mb", "stdout_bytes", "stderr_bytes"}
    assert second["purpose"] == "second_instance"
    assert json_answers(finished, "audit", "--tool", "python") == [c for c in every if c["tool"] == "python"]
    assert json_answer(finished, "audit", "show", "1/0#1") == own
    assert "no such sandbox call" in answer(finished, "audit", "--tool", "shell")


def test_only_denied_calls_are_listed_where_that_is_asked(calls: Path) -> None:
    assert [(call["call"], call["status"]) for call in json_answers(calls, "audit", "--denied")] == [
        ("1/0#2", "denied")
    ]


def test_a_call_is_shown_whole(calls: Path) -> None:
    text = " ".join(answer(calls, "audit", "show", "1/0#2").split())
    for part in (
        "asked by attempt 1/0 at task 1, student-1",
        "limits 5 s, 512 MB",
        "isolation bubblewrap",
        "status denied",
        "wall 0.25 s",
        "CPU 0.125 s",
        "memory 7.5 MB at peak",
        "stdout 3 bytes",
    ):
        assert part in text


def test_a_call_without_an_end_is_unknown(calls: Path) -> None:
    assert [(call["call"], call["status"]) for call in json_answers(calls, "audit")] == [
        ("1/0#1", "ok"),
        ("1/0#2", "denied"),
        ("1/1#1", "unknown"),
    ]
    assert "status unknown: the log does not hold its end" in " ".join(answer(calls, "audit", "show", "1/1#1").split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit"],
        ["audit", "--json"],
        ["audit", "show", "1/0#1"],
        ["audit", "show", "1/0#1", "--json"],
        ["show", "1/0"],
        ["show", "1/0", "--json"],
    ],
)
def test_what_a_model_wrote_can_not_steer_the_terminal(calls: Path, arguments: list[str]) -> None:
    text = answer(calls, *arguments)
    assert text.replace("\n", "").isprintable()
    drawn = on_a_terminal("agent0es", *arguments, "--store", str(calls))
    assert [part for part in STEERING if part in drawn] == []
    if "show" in arguments:
        assert "[bold red]markup[/]" in drawn


def test_hostile_code_reads_back_as_it_was_and_can_not_pose_as_another_field(calls: Path) -> None:
    assert json_answer(calls, "audit", "show", "1/0#1")["input"] == f"first = 1\n{HOSTILE}"
    text = answer(calls, "audit", "show", "1/0#1")
    code = text[text.index("\nInput\n") :].splitlines()[2:]
    assert all(line.startswith("    ") for line in code if line not in ("", "Output"))
    assert "first = 1 …" in answer(calls, "audit")


def test_lineage_of_a_task_with_a_hostile_call_is_harmless(tmp_path: Path) -> None:
    hostile = proposed(random.Random(0), 1, 1, "gcd", 1)
    hostile = hostile.model_copy(
        update={"proposal": hostile.proposal.model_copy(update={"description": HOSTILE, "reference": HOSTILE})}
    )
    started = ev.AttemptStarted(attempt="1/0", task=1, seed=1, adapter=None, demonstrations=0)
    with EventLog.open(tmp_path / "log.db") as log:
        log.append(
            [
                NewEvent("run/r", ev.RunStarted(seed=1, configuration={}, code_version=HOSTILE, weights={})),
                NewEvent("task/r/1", hostile),
                NewEvent("attempt/r/1/0", started),
                requested("1/0#1", HOSTILE),
            ],
            handler="test",
        )
    for command in (["lineage", "1"], ["retract", "1", "--reason", HOSTILE], ["lineage", "1", "--json"]):
        text = on_a_terminal("agent0es", *command, "--store", str(tmp_path))
        assert [part for part in STEERING if part in text] == []


def test_unknown_names_are_errors(calls: Path) -> None:
    assert isinstance(invoke(calls, "audit", "nobody").exception, RunNotFound)
    assert isinstance(invoke(calls, "audit", "show", "9/9#1").exception, UnknownName)
    done = subprocess.run(
        [sys.executable, "-m", "agent0es", "audit", "show", "9/9#1", "--store", str(calls)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


def test_a_call_that_a_kill_cut_off_is_unknown(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agent0es", "run", "--store", str(tmp_path), "--json"]
    for role in ("teacher", "student"):
        command += ["--set", f'models.{role}={{backend: scripted, name: "tests.support.studious:respond_slowly"}}']
    process = subprocess.Popen([*command, "--tasks", "1"], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "log.db").exists():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        with EventLog.open(tmp_path / "log.db", read_only=True) as log:
            while not list(log.read(types=["ToolRequested"])):
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.02)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            assert not list(log.read(types=["ToolCalled"])), "the calls take seconds"
    finally:
        process.kill()
    cut_off = json_answers(tmp_path, "audit")
    assert cut_off and {call["status"] for call in cut_off} == {"unknown"}
    assert "unknown" in answer(tmp_path, "audit", "show", cut_off[0]["call"])
    assert json.dumps(cut_off[0]["measured"]) == "{}"
