"""Looking at runs: how each stands, one answer as a whole, events as they come, and hints that work as they stand."""

import json
import random
import re
import shlex
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent0es.domain import events as ev
from agent0es.errors import RunNotFound, UnknownName
from agent0es.log import EventLog, History, NewEvent
from agent0es.provenance.standing import status_of
from tests.support import world
from tests.support.commands import answer, invoke, json_answer, json_answers
from tests.unit.projections.history import history

STARTED = ev.RunStarted(seed=1, configuration={}, code_version="1", weights={})
STOPPED = ev.HandlerFailed(handler="solve", cause=2, task=None, error="EngineError: it is gone", traceback="")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run of every kind; `whole` is one that really ran, on scripted models."""
    folder = tmp_path_factory.mktemp("store")
    with EventLog.open(folder / "log.db") as log:
        world.begin(log, "whole")
        world.complete(log, "whole", folder)
        log.append(history(random.Random(3), "tainted", iterations=2), handler="test")
        begun = ev.IterationStarted(iteration=1)
        for run, events in {"cut-off": (STARTED, begun), "failed": (STARTED, begun, STOPPED)}.items():
            log.append([NewEvent(f"run/{run}", event) for event in events], handler="test")
        world.fork(log, "fork", "whole", 20)
    return folder


def status(store: Path) -> Mapping[str, str]:
    return {row["run"]: row["status"] for row in json_answers(store, "runs")}


def test_runs_and_show_tell_how_each_run_stands(store: Path) -> None:
    expected = {"whole": "completed", "tainted": "completed", "cut-off": "interrupted", "failed": "failed"}
    assert status(store) == {**expected, "fork": "not started"}
    for run, stands in status(store).items():
        assert json_answer(store, "show", run)["status"] == stands
        assert f"Run {run}: {stands}" in answer(store, "show", run).split("\n\n")[0]
    assert "EngineError: it is gone" in answer(store, "show", "failed")


def test_a_run_is_running_while_a_live_process_drives_it(store: Path) -> None:
    with EventLog.open(store / "log.db") as log, log.lease("cut-off"), log.lease("whole"):
        found = status(store)
        assert (found["cut-off"], found["fork"]) == ("running", "not started")
        assert found["whole"] == "completed", "also while an adapter of it is rebuilt"
        assert "--resume" not in answer(store, "show", "cut-off")
    assert status(store)["cut-off"] == "interrupted"


@pytest.mark.parametrize(
    ("in_log", "driven", "trains", "stands"),
    [
        ("unfinished", False, False, "interrupted"),
        ("unfinished", True, False, "running"),
        ("failed", False, False, "failed"),
        ("failed", True, False, "running"),
        ("not started", False, False, "not started"),
        ("not started", True, False, "running"),
        ("completed", False, False, "completed"),
        ("completed", True, False, "completed"),
        ("unfinished", True, True, "training"),
        ("unfinished", False, True, "interrupted"),
        ("completed", True, True, "training"),
        ("completed", False, True, "completed"),
    ],
)
def test_how_a_run_stands_is_what_the_log_says_and_who_drives_it(
    in_log: str, driven: bool, trains: bool, stands: str
) -> None:
    assert status_of(in_log, driven, trains) == stands


def test_a_tainted_adapter_in_use_is_shouted_by_every_command_about_the_run(store: Path) -> None:
    [row] = [row for row in json_answers(store, "runs") if row["tainted"]]
    assert row["run"] == "tainted"
    rebuild = f"agent0es train tainted --without-retracted --store {store}"
    for command in (["runs"], ["show", "tainted"], ["report", "tainted"]):
        text = answer(store, *command)
        assert re.search(rf"WARNING: run tainted uses {row['tainted'][0]}.*with:\n  {re.escape(rebuild)}\n", text)
    [alert] = json_answers(store, "sql", "SELECT subject, message FROM alerts WHERE kind = 'tainted_adapter'")
    assert alert["subject"] == row["tainted"][0] and "--without-retracted" in alert["message"]
    assert "WARNING" not in answer(store, "show", "whole") + answer(store, "report", "whole")


def attempts(store: Path, where: str) -> list[str]:
    return [row["attempt"] for row in json_answers(store, "sql", f"FROM attempts WHERE run = 'whole' AND {where}")]


def own_events(store: Path, attempt: str) -> list[Any]:
    with EventLog.open(store / "log.db", read_only=True) as log:
        return list(log.read(stream=f"attempt/whole/{attempt}"))


def test_one_answer_is_shown_as_a_whole(store: Path) -> None:
    name = attempts(store, "correct AND task IS NOT NULL")[0]
    found = json_answer(store, "show", name, "--run", "whole")
    own = own_events(store, name)
    replies = [one.event for one in own if isinstance(one.event, ev.ModelCalled)]
    assert [step["prompt"] for step in found["steps"] if step["kind"] == "reply"] == [r.prompt.plain() for r in replies]
    assert [step["text"] for step in found["steps"] if step["kind"] == "reply"] == [reply.text for reply in replies]
    [call] = [one.event for one in own if isinstance(one.event, ev.ToolCalled) and one.event.call.endswith("#1")]
    [shown] = [step for step in found["steps"] if step.get("call") == call.call]
    assert (shown["output"], shown["status"]) == (call.output, "ok")
    assert (found["verdict"], found["verification"]["correct"]) == ("right", True)
    [reward] = json_answers(store, "sql", f"FROM rewards WHERE run = 'whole' AND attempt = '{name}'")
    assert found["reward"] == {"total": reward["total"], "components": reward["components"]}
    hashes = {one.position: (one.content_hash, one.chain_hash) for one in own}
    assert hashes.items() <= {e["position"]: (e["hash"], e["chain_hash"]) for e in found["events"]}.items()

    text = answer(store, "show", name, "--run", "whole")
    for part in (found["problem"]["description"], call.output, replies[0].text.strip(), f"{reward['total']:g}"):
        assert part in text
    assert all(one.content_hash in text for one in own)


def test_of_a_later_prompt_only_what_came_to_it_is_printed(store: Path) -> None:
    name = attempts(store, "model_calls > 1 AND task IS NOT NULL")[0]
    question = json_answer(store, "show", name, "--run", "whole")["problem"]["description"]
    text = answer(store, "show", name, "--run", "whole")
    first, rest = text.split("Prompt continues", 1)
    assert first.count(question) == 2, "as the task, and in the prompt"
    assert question not in rest and "Observation:" in rest


def test_an_answer_at_a_held_out_problem_has_no_task_and_no_reward(store: Path) -> None:
    first, *_, name = attempts(store, "arm = 'base-zero-shot' ORDER BY problem")
    assert json_answer(store, "show", first, "--run", "whole")["problem"]["family"] == "product"
    found = json_answer(store, "show", name, "--run", "whole")
    assert (found["attempt"], found["task"], found["reward"]) == (name, None, None)
    assert found["verdict"] in ("right", "wrong")
    # The run's domain is one of the tests: most problems that are made anew are others, and none of them is passed off.
    assert found["problem"] is None and "other problems" in found["problem_unknown"]


def test_a_task_is_shown_with_its_attempts(store: Path) -> None:
    name = attempts(store, "correct AND task IS NOT NULL")[0]
    number = name.split("/")[0]
    found = json_answer(store, "show", "whole", "--task", number)
    assert [one["attempt"] for one in found["attempts"]] == attempts(store, f"task = {number} ORDER BY position")
    assert found["status"] == "completed" and found["reward"]["total"] > 0
    text = answer(store, "show", "whole", "--task", number)
    assert found["problem"]["description"] in text and found["problem"]["reference"] in text


def test_what_a_fork_inherited_is_shown_too(store: Path) -> None:
    with EventLog.open(store / "log.db", read_only=True) as log:
        inherited = [r.event.task for r in History.of(log, "fork").read(types=["TaskProposed"])]
    assert inherited
    assert json_answer(store, "show", "fork", "--task", str(inherited[0]))["run"] == "whole"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "{task}/9"], "there are {task}/0"),
        (["show", "eval/base-zero-short/1"], "eval/base-zero-shot/1"),
        (["show", "{task}/0#1"], "agent0es audit show '{task}/0#1'"),
        (["show", "--task", "999"], "no task 999"),
        (["show", "999"], "agent0es show --task 999"),
        (["show", "x/y"], "no attempt 'x/y'"),
        (["events", "--attempt", "{task}/9"], "{task}/0"),
        (["events", "--task", "999"], "no task 999"),
        (["lineage", "studnet-1"], "nearest is student-1"),
        (["audit", "show", "{task}/0#7"], "{task}/0#1"),
        (["retract", "{task}/9", "--reason", "bad"], "{task}/9"),
        (["events", "wohle"], "nearest is whole"),
    ],
)
def test_a_wrong_name_is_one_line_with_the_nearest_ones(store: Path, arguments: list[str], said: str) -> None:
    task = attempts(store, "task IS NOT NULL AND tool_calls > 0")[0].split("/")[0]
    words = [word.format(task=task) for word in arguments]
    in_run = [] if words[0] == "events" or words[1] == "999" else ["--run", "whole"]
    if words[0] == "events" and words[1].startswith("--"):
        in_run = ["whole"]
    error = invoke(store, *words, *in_run).exception
    assert isinstance(error, UnknownName | RunNotFound)
    assert said.format(task=task) in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "student-1", "--run", "whole", "--at", "5"],
        ["show", "1/0", "--task", "1"],
        ["show", "1/0", "--at", "5"],
    ],
)
def test_two_names_for_one_thing_are_refused(store: Path, arguments: list[str]) -> None:
    assert invoke(store, *arguments).exit_code == 2


def test_the_run_is_the_latest_one_where_it_is_left_out(store: Path, tmp_path: Path) -> None:
    for command in (["show"], ["events"], ["replay"], ["audit"], ["report"], ["export", "trajectories"]):
        latest = answer(store, *command, "latest") if command != ["audit"] else answer(store, "audit", "latest")
        assert answer(store, *command) == latest
    assert answer(store, "diff") == answer(store, "diff", "latest")
    bare = answer(store, "whatif", "--set", "rewards.weights.novelty=0.5")
    assert "Run fork" in bare


HINTS = re.compile(r"agent0es (?:run --resume|show|audit|events|train|sql|runs) .*$", re.MULTILINE)


def test_hints_work_as_they_stand(store: Path) -> None:
    name = attempts(store, "tool_calls > 0 AND task IS NOT NULL")[0]
    said = answer(store, "show", name, "--run", "whole")
    said += answer(store, "show", "whole", "--task", name.split("/")[0])
    said += f"{invoke(store, 'show', 'nobody').exception}\n{invoke(store, 'show', '9/9').exception}\n"
    said += f"{invoke(store, 'audit', 'show', '9/9#9', '--run', 'whole').exception}\n"
    hints = HINTS.findall(said)
    assert len(hints) >= 6
    for hint in hints:
        words = shlex.split(hint)
        assert words[-2:] == ["--store", str(store)]
        assert invoke(store, *words[1:-2]).exit_code == 0, hint


def test_a_hint_leaves_the_store_out_where_it_is_found_without(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT0ES_STORE", str(store))
    text = answer(store, "show", "cut-off")
    assert "agent0es run --resume cut-off\n" in text


def test_events_of_one_task_or_one_attempt(store: Path) -> None:
    every = json_answers(store, "events", "whole")
    name = attempts(store, "task IS NOT NULL AND tool_calls > 0")[0]
    number = int(name.split("/")[0])
    of_attempt = json_answers(store, "events", "whole", "--attempt", name)
    assert of_attempt == [e for e in every if e["stream"].endswith(f"/{name}") or e["content"].get("attempt") == name]
    assert {"AttemptStarted", "ModelCalled", "Verified", "RewardAssigned"} <= {e["type"] for e in of_attempt}
    of_task = json_answers(store, "events", "whole", "--task", str(number))
    assert [e["position"] for e in of_attempt] == [
        e["position"] for e in of_task if e["stream"].endswith(f"/{name}") or e["content"].get("attempt") == name
    ]
    others = [e for e in of_task if f"/whole/{number}" not in e["stream"]]
    assert others == [] and {e["type"] for e in of_task} >= {"TaskRequested", "TaskCompleted"}
    assert json_answers(store, "events", "whole", "--task", str(number), "--type", "Verified", "--limit", "1") == [
        next(e for e in of_task if e["type"] == "Verified")
    ]


def test_events_are_followed_until_the_run_is_completed(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        log.append([NewEvent("run/r", STARTED)], handler="test")
        said: list[str] = []
        watching = threading.Thread(
            target=lambda: said.append(invoke(tmp_path, "events", "r", "--follow", "--json", "--after", "0").output)
        )
        with log.lease("r"):
            watching.start()
            for number in range(1, 4):
                log.append([NewEvent("run/r", ev.IterationStarted(iteration=number))], handler="test")
                log.append([NewEvent("run/other", ev.IterationStarted(iteration=number))], handler="test")
            done = ev.RunCompleted(iterations=3, serving={"student": None, "teacher": None})
            log.append([NewEvent("run/r", done)], handler="test")
        watching.join(30)
        assert not watching.is_alive()
    lines = [json.loads(line) for line in said[0].splitlines()]
    assert [line["type"] for line in lines] == ["RunStarted", *["IterationStarted"] * 3, "RunCompleted"]
    assert {line["stream"] for line in lines} == {"run/r"}


def test_following_a_completed_run_shows_nothing_and_ends(store: Path) -> None:
    assert answer(store, "events", "whole", "--follow") == ""


def test_following_a_run_that_nobody_drives_says_so(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("agent0es.runs.following.time.sleep", interrupt)
    result = invoke(store, "events", "cut-off", "--follow")
    assert (result.exit_code, result.stdout) == (130, "")
    assert "Run cut-off is not running now" in result.stderr


def numbers(text: str) -> Iterator[float]:
    return (float(found) for found in re.findall(r"\d\.\d{3}", text))


def test_show_says_which_of_an_adapters_figures_the_gate_compares(store: Path) -> None:
    text = answer(store, "show", "whole").split("Adapters\n")[1].split("\n\n")[0]
    [row] = json_answer(store, "show", "whole")["adapters"]
    splits = [
        one["share"] for one in json_answer(store, "show", "whole")["evaluations"] if one["arm"] == row["adapter"]
    ]
    assert row["mean_share"] == pytest.approx(sum(splits) / 2)
    assert f"{row['mean_share']:.3f}" in row["reason"], "what the gate says"
    assert {round(share, 3) for share in (*splits, row["mean_share"], row["share"])} <= set(numbers(text))


def test_show_says_why_nothing_was_trained(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, "few", "training.minimum_examples=500")
        world.complete(log, "few", tmp_path)
    text = " ".join(answer(tmp_path, "show").split())
    assert re.search(r"not trained student-1: .*training.minimum_examples is 500; so it was not", text)


def test_a_lineage_shows_some_attempts_and_says_how_to_see_the_rest(store: Path) -> None:
    every = json_answer(store, "lineage", "student-1", "--run", "whole")["attempts"]
    assert len(every) > 1
    few = json_answer(store, "lineage", "student-1", "--run", "whole", "--limit", "1")
    assert few["attempts"] == every[:1]
    text = answer(store, "lineage", "student-1", "--run", "whole", "--limit", "1")
    assert f"(1 of {len(every)})" in text
    assert " gradient_checkpointing=false " in " ".join(text.split()), "words of the settings, not of Python"
    assert not re.search("True|False|None", text)
    [hint] = re.findall(rf"and {len(every) - 1} more: (.*)", text)
    whole = answer(store, *shlex.split(hint)[1:-2])
    assert "more:" not in whole
    assert [line.split()[0] for line in whole.splitlines() if re.match(r"  \d+/", line)] == [
        a["attempt"] for a in every
    ]


def test_the_lineage_of_what_a_fork_inherited_is_that_of_its_past(store: Path) -> None:
    with EventLog.open(store / "log.db", read_only=True) as log:
        inherited = [r.event.task for r in History.of(log, "fork").read(types=["TaskProposed"])]
    error = invoke(store, "lineage", str(inherited[0]), "--run", "fork").exception
    assert isinstance(error, UnknownName)
    assert str(error).endswith(f"agent0es lineage {inherited[0]} --run whole --store {store}")
    assert "its past" not in str(invoke(store, "lineage", "student-1", "--run", "fork").exception), "trained later"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_audit_cuts_no_name_whatever_the_width(store: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setattr("agent0es.cli.listing.terminal_width", lambda: width)
    calls = [call["call"] for call in json_answers(store, "audit", "whole")]
    lines = answer(store, "audit", "whole").splitlines()
    assert [line.split()[0] for line in lines[1:] if not line.startswith(" ")] == calls
    if width >= 80:
        assert max(map(len, lines)) <= width
    assert json_answer(store, "audit", "show", calls[-1], "--run", "whole")["call"] == calls[-1]
