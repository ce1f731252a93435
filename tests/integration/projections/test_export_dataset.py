"""`agent0es export dataset`: files that `datasets` reads, in shapes that TRL takes, each row with where it is from."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from agent0es.domain import events as ev
from agent0es.errors import StoreError, UnknownName, UserError
from agent0es.log import EventLog, NewEvent
from agent0es.runs.driving import drive
from agent0es.runs.exporting_datasets import FORMATS, gives_other_rows_now
from agent0es.runs.training import Wanted, plan, request
from tests.support import world
from tests.support.commands import answer, invoke, json_answer

SETTINGS = (
    "execution.tasks_per_iteration=8",
    "execution.attempts=4",
    "training.roles=[student, teacher]",
    "curriculum.demonstrations=0",
)
SHAPES = {
    "prompt-completion": {"prompt", "completion"},
    "conversational": {"messages"},
    "preference": {"prompt", "chosen", "rejected", "rejected_attempt"},
    "unpaired-preference": {"prompt", "completion", "label"},
    "prompt-only": {"prompt", "answer", "solved", "attempts"},
}
LINEAGE = {"run", "attempt", "task", "domain", "family", "difficulty"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, and a fork that trained nothing of its own."""
    store = tmp_path_factory.mktemp("store")
    with EventLog.open(store / "log.db") as log:
        world.begin(log, "run", *SETTINGS)
        world.complete(log, "run", store)
        world.fork(log, "fork", "run", log.head(), "execution.iterations=2")
    return store


def exported(store: Path, output: Path, form: str, *arguments: str) -> list[dict[str, Any]]:
    answer(store, "export", "dataset", "run", "--format", form, "-o", str(output), *arguments)
    return [json.loads(line) for line in output.read_text().splitlines()]


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_is_read_by_the_library_as_it_was_written(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    import datasets

    written = exported(store, tmp_path / "rows.jsonl", form)
    told = json_answer(store, "export", "dataset", "run", "--format", form, "-o", str(tmp_path / "rows.parquet"))
    assert told["rows"] == len(written) > 0 and told["bytes"] == (tmp_path / "rows.parquet").stat().st_size
    for kind, name in (("json", "rows.jsonl"), ("parquet", "rows.parquet")):
        read = datasets.load_dataset(
            kind, data_files=str(tmp_path / name), split="train", cache_dir=str(tmp_path / "cache")
        )
        if form == "trajectories":
            assert [row["attempt"] for row in read] == [row["attempt"] for row in written]
            assert [row["task"]["description"] for row in read] == [row["task"]["description"] for row in written]
        else:
            assert list(read) == written
            assert set(read.column_names) == SHAPES[form] | (
                LINEAGE - ({"attempt"} if form == "prompt-only" else set())
            )


def test_an_adapters_rows_are_those_of_its_dataset_and_lead_back_to_the_log(store: Path, tmp_path: Path) -> None:
    rows = exported(store, tmp_path / "rows.jsonl", "conversational", "--adapter", "student-1")
    with EventLog.open(store / "log.db", read_only=True) as log:
        built = [r.event for r in log.read(types=["DatasetBuilt"]) if isinstance(r.event, ev.DatasetBuilt)]
    [student] = [event for event in built if event.role == "student"]
    assert tuple(row["attempt"] for row in rows) == student.sources
    for number, row in enumerate(rows, 1):
        shown = json_answer(store, "show", row["attempt"], "--run", row["run"])
        assert shown["problem"]["description"] == row["messages"][1]["content"]
        assert shown["learnt_by"] == [{"adapter": "student-1", "row": number}]
        assert f"student-1 (row {number} of its dataset)" in answer(store, "show", row["attempt"], "--run", "run")
    record = json_answer(store, "lineage", "student-1", "--run", "run")
    assert {one["attempt"]: one["row"] for one in record["attempts"]} == {
        source: number for number, source in enumerate(student.sources, 1)
    }
    assert record["dataset"]["left_out"] == student.left_out != {}
    assert rows == exported(store, tmp_path / "again.jsonl", "conversational"), "nothing has changed since"
    [fork] = {json_answer(store, "export", "dataset", "fork", "--adapter", "student-1", *to(tmp_path))["sha256"]}
    assert fork == json_answer(store, "export", "dataset", "run", "--adapter", "student-1", *to(tmp_path))["sha256"]


def to(folder: Path, form: str = "conversational") -> tuple[str, ...]:
    return "--format", form, "-o", str(folder / "out.jsonl")


def test_what_an_adapter_that_was_asked_for_learnt_follows_the_settings_of_its_training(
    store: Path, tmp_path: Path
) -> None:
    """`agent0es train` with other settings than the run's: fewer rows, and by a method that learns from pairs."""
    shutil.copytree(store, tmp_path, dirs_exist_ok=True)
    with EventLog.open(tmp_path / "log.db") as log:
        for name, setting in (
            ("fewer", "examples_per_family=1"),
            ("pairs", "method=dpo"),
            ("untrained", "minimum_examples=99"),
        ):
            asked = plan(log, "run", Wanted((f"training.{setting}",), name=name))
            ports = world.ports(tmp_path, log, "run", asked.configuration)
            request(ports, asked.requested)
            asyncio.run(drive(ports, []))
        built = {r.event.adapter: r.event for r in log.read() if isinstance(r.event, ev.DatasetBuilt)}
    rows = exported(tmp_path, tmp_path / "rows.jsonl", "conversational", "--adapter", "fewer")
    assert tuple(row["attempt"] for row in rows) == built["fewer"].sources and len(rows) < built["student-1"].examples
    rows = exported(tmp_path, tmp_path / "rows.jsonl", "preference", "--adapter", "pairs")
    met = [name for row in rows for name in (row["attempt"], row["rejected_attempt"])]
    assert tuple(met) == built["pairs"].sources and {row["run"] for row in rows} == {"run"}
    record = json_answer(tmp_path, "lineage", "pairs", "--run", "run")
    number = {name: at // 2 + 1 for at, name in enumerate(met)}
    assert len(rows) > 1 and {one["attempt"]: one["row"] for one in record["attempts"]} == number
    shown = json_answer(tmp_path, "show", met[-2], "--run", "run")["learnt_by"]
    assert {"adapter": "pairs", "row": len(rows)} in shown
    shown = json_answer(tmp_path, "show", built["untrained"].sources[0], "--run", "run")["learnt_by"]
    assert "student-1" in (learnt := {one["adapter"] for one in shown}) and "untrained" not in learnt
    done = invoke(tmp_path, "export", "dataset", "run", "--adapter", "pairs", *to(tmp_path))
    assert isinstance(done.exception, UserError)
    assert "pairs learnt by dpo from pairs; choose preference, or leave --adapter out" in str(done.exception)


def test_preferences_are_of_right_and_wrong_attempts_at_the_same_task(store: Path, tmp_path: Path) -> None:
    records = {
        row["attempt"]: row for row in map(json.loads, answer(store, "export", "trajectories", "run").splitlines())
    }
    right = {name: record["verification"]["correct"] for name, record in records.items()}
    rows = exported(store, tmp_path / "rows.jsonl", "preference")
    for row in rows:
        assert right[row["attempt"]] is True and right[row["rejected_attempt"]] is False
        assert row["attempt"].split("/")[0] == row["rejected_attempt"].split("/")[0] == str(row["task"])
        assert row["prompt"][-1]["role"] == "user" and row["chosen"] != row["rejected"]
    rows = exported(store, tmp_path / "rows.jsonl", "unpaired-preference")
    assert {row["label"] for row in rows} == {True, False}
    assert all(right[row["attempt"]] is row["label"] for row in rows)
    rows = exported(store, tmp_path / "rows.jsonl", "prompt-only")
    of_task: dict[int, list[bool]] = {}
    for name, record in records.items():
        of_task.setdefault(int(name.split("/")[0]), []).append(record["verification"]["correct"])
    assert {row["task"]: row["solved"] for row in rows} == {
        task: sum(verdicts) / len(verdicts) for task, verdicts in of_task.items()
    }
    for row in rows:
        [task] = {r["task"]["metadata"]["reference"] for n, r in records.items() if n.split("/")[0] == str(row["task"])}
        assert row["answer"] == task


def test_a_teachers_rows_are_its_proposals(store: Path, tmp_path: Path) -> None:
    rows = exported(store, tmp_path / "rows.jsonl", "prompt-completion", "--adapter", "teacher-1")
    assert [row["prompt"][0]["role"] for row in rows] == ["system"] * len(rows)
    assert {json.loads(row["completion"][0]["content"])["family"] for row in rows} == {row["family"] for row in rows}
    assert rows == exported(
        store, tmp_path / "rows.jsonl", "prompt-completion", "--role", "teacher", "--iteration", "1"
    )
    assert "attempt" not in rows[0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("--adapter", "student-9"), UnknownName, "has no adapter 'student-9'"),
        (("--iteration", "3"), UnknownName, "has ended no iteration 3"),
        (("--role", "teacher", "--format", "preference"), UserError, "choose prompt-completion or conversational"),
        (("-o", "rows.csv"), UserError, "ends in .jsonl or .parquet"),
        (("--adapter", "student-1", "--role", "student"), SystemExit, None),
    ],
)
def test_what_can_not_be_exported_is_said_in_one_line(
    store: Path, tmp_path: Path, arguments: tuple[str, ...], error: type[Exception], message: str | None
) -> None:
    done = invoke(store, "export", "dataset", "run", *to(tmp_path), *arguments)
    assert isinstance(done.exception, error) and done.exit_code != 0
    assert message is None or (message in str(done.exception) and "\n" not in str(done.exception))
    assert list(tmp_path.iterdir()) == []


def test_what_was_retracted_is_in_no_new_dataset_but_in_the_one_that_was_learnt(store: Path, tmp_path: Path) -> None:
    shutil.copytree(store, tmp_path, dirs_exist_ok=True)
    learnt = exported(tmp_path, tmp_path / "rows.jsonl", "conversational", "--adapter", "student-1")
    bad = learnt[0]["attempt"]
    with EventLog.open(tmp_path / "log.db") as log:
        log.append([NewEvent("run/run", ev.Retracted(what=bad, reason="no", actor="me"))], handler="cli")
    assert exported(tmp_path, tmp_path / "rows.jsonl", "conversational", "--adapter", "student-1") == learnt
    for form in SHAPES:
        rows = exported(tmp_path, tmp_path / "rows.jsonl", form)
        assert bad not in {row.get("attempt") for row in rows} | {row.get("rejected_attempt") for row in rows}


def test_a_dataset_that_the_log_does_not_give_any_more_is_refused(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent0es.taskdomains.math import MathDomain

    monkeypatch.setattr(MathDomain, "system", "Another version says something else.")
    done = invoke(store, "export", "dataset", "run", "--adapter", "student-1", *to(tmp_path))
    assert isinstance(done.exception, StoreError) and "Leave --adapter out" in str(done.exception)
    with EventLog.open(store / "log.db", read_only=True) as log:
        assert gives_other_rows_now(log, "run", "student-1")
        monkeypatch.undo()
        assert not gives_other_rows_now(log, "run", "student-1")
