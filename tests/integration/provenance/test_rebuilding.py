"""Lineage both ways, retraction and rebuilding on a whole run, through the commands."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from agent0es.domain import events as ev
from agent0es.errors import ConfigurationError, RetractionError, RunInUse, TrainingRefused, UnknownName
from agent0es.log import EventLog
from tests.support.commands import answer, invoke, json_answer, json_answers
from tests.support.few_families import FAMILIES

DOCS = Path(__file__).parents[3] / "docs" / "commands.md"


def events(store: Path, *types: str) -> list[Any]:
    with EventLog.open(store / "log.db", read_only=True) as log:
        return [recorded.event for recorded in log.read(types=types or None)]


def sources(store: Path, adapter: str = "student-1") -> tuple[str, ...]:
    [built] = [event for event in events(store, "DatasetBuilt") if event.adapter == adapter]
    found: tuple[str, ...] = built.sources
    return found


def test_an_adapter_leads_back_to_its_dataset_attempts_calls_configuration_and_code(finished: Path) -> None:
    found = json_answer(finished, "lineage", "student-1")
    [started] = events(finished, "RunStarted")
    [training] = events(finished, "TrainingStarted")
    [built] = events(finished, "DatasetBuilt")
    assert (found["status"], found["serving"], found["iteration"]) == ("promoted", "now", 1)
    assert found["dataset"]["sha256"] == built.sha256 == found["training"]["dataset_sha256"]
    assert found["dataset"]["examples"] == len(built.sources) > 3
    assert found["configuration"] == started.configuration
    assert found["code_version"] == started.code_version
    assert found["base_weights"] == training.base_sha256
    attempts = [attempt["attempt"] for attempt in found["attempts"]]
    assert sorted(attempts) == sorted(built.sources), "each of those behind its rows, once, and no other"
    assert {task["task"] for task in found["tasks"]} == {int(source.split("/")[0]) for source in built.sources}
    for attempt in found["attempts"]:
        assert attempt["correct"] is True
        own, second = attempt["calls"]
        assert (own["purpose"], own["status"], second["purpose"]) == ("solution", "ok", "second_instance")
        assert own["output"].strip() == attempt["answer"].strip()
    families = {split: len(FAMILIES[split]) for split in ("practised", "held_out")}
    assert {score["split"]: score["correct"] for score in found["evaluation"]} == families


def test_the_files_of_an_adapter_are_compared_with_the_log(store: Path) -> None:
    found = json_answer(store, "lineage", "student-1")
    [dataset, _settings, weights, _lora, merged] = found["files"]
    assert [check["verdict"] for check in found["files"]] == ["same"] * 5
    with (store / merged["file"]).open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == merged["found"] == merged["recorded"]

    (store / dataset["file"]).unlink()
    assert "missing" in answer(store, "lineage", "student-1"), "a dataset may be deleted: it can be made again"

    changed = bytearray((store / weights["file"]).read_bytes())
    changed[-1] ^= 1
    (store / weights["file"]).write_bytes(changed)
    result = invoke(store, "lineage", "student-1")
    assert result.exit_code == 1
    assert f"{weights['file']}: differs from the log" in result.output


def test_a_task_leads_forward_to_datasets_adapters_and_scores(finished: Path) -> None:
    source = sources(finished)[0]
    task = source.split("/")[0]
    found = json_answer(finished, "lineage", task)
    assert [attempt["attempt"] for attempt in found["attempts"]] == [f"{task}/0", f"{task}/1"]
    [adapter] = found["adapters"]
    assert (adapter["adapter"], adapter["holds"], adapter["serving"]) == ("student-1", [source], "now")
    assert len(adapter["evaluation"]) == 2

    proposed = [event.task for event in events(finished, "TaskProposed")]
    unused = next(n for n in proposed if not any(s.startswith(f"{n}/") for s in sources(finished)))
    assert json_answer(finished, "lineage", str(unused))["adapters"] == []
    assert "in no dataset" in answer(finished, "lineage", str(unused))


def test_a_run_is_named_before_the_name_or_with_an_option(finished: Path) -> None:
    [run] = {event["run"] for event in json_answers(finished, "runs")}
    plain = json_answer(finished, "lineage", "student-1")
    assert json_answer(finished, "lineage", f"{run}/student-1") == plain
    assert json_answer(finished, "lineage", "student-1", "--run", run[:4]) == plain
    assert invoke(finished, "lineage", f"{run}/student-1", "--run", run).exit_code == 2
    for unknown in ("student-9", "99", "9" * 5000):
        assert isinstance(invoke(finished, "lineage", unknown).exception, UnknownName)


def test_what_is_retracted_taints_and_a_rebuild_leaves_it_out(store: Path) -> None:
    bad = sources(store)[0]
    task = bad.split("/")[0]
    said = json_answer(store, "retract", task, "--reason", "the text is ambiguous")
    assert [(row["adapter"], row["holds"], row["trained"]) for row in said["tainted"]] == [("student-1", [bad], True)]
    [retracted] = events(store, "Retracted")
    assert (retracted.what, retracted.reason) == (task, "the text is ambiguous")
    assert json_answers(store, "sql", "SELECT what, reason FROM retractions") == [
        {"what": task, "reason": "the text is ambiguous"}
    ]
    assert json_answer(store, "lineage", "student-1")["tainted_by"] == [task]

    lines = json_answers(store, *documented_rebuild())
    assert next(line for line in lines if "adapter" in line)["outcome"] == "promoted"
    assert lines[-1]["serving"]["student"] == "student-1-clean"

    assert sources(store, "student-1-clean") == tuple(source for source in sources(store) if source != bad)
    clean = json_answer(store, "lineage", "student-1-clean")
    assert (clean["iteration"], clean["tainted_by"], clean["serving"]) == (1, [], "now")
    assert [check["verdict"] for check in clean["files"]] == ["same"] * 5
    before, after = events(store, "TrainingStarted")
    assert before.settings == after.settings and before.base_sha256 == after.base_sha256
    assert json_answer(store, "lineage", "student-1")["serving"] == "earlier"
    [first, second] = events(store, "AdapterEvaluated")
    assert {score.arm for score in second.scores} == {score.arm for score in first.scores} | {"student-1-clean"}
    assert len(events(store, "RunCompleted")) == 1, "the run stays completed"

    with pytest.raises(RetractionError, match="no adapter to rebuild"):
        raise invoke(store, *documented_rebuild()).exception or AssertionError
    answer(store, "run", "--resume", "latest")
    assert len(events(store, "RunCompleted")) == 1, "and nothing is left to do"


def documented_rebuild() -> list[str]:
    """The example in the documentation, which `test_docs` leaves to this test."""
    return documented()[1]


def documented() -> list[list[str]]:
    """The examples of `train`: a training, and a rebuild."""
    plain, rebuild = re.findall(r"^agent0es (train .*?)(?: #.*)?$", DOCS.read_text(), re.MULTILINE)
    return [plain.split(), rebuild.split()]


def test_a_rebuild_that_was_cut_off_is_gone_on_with(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(store, "retract", sources(store)[1], "--reason", "lucky")

    async def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("agent0es.training.trainer.ProcessTrainer.train", dies)
        wanted = ("--without-retracted", "--name", "anew", "--set", "training.rank=2")
        assert invoke(store, "train", "latest", *wanted).exit_code == 130
    assert [event.type for event in events(store)[-3:]] == ["TrainingRequested", "DatasetBuilt", "TrainingStarted"]
    (store / "datasets" / json_answers(store, "runs")[0]["run"] / "anew.jsonl").write_text("torn")

    answer(store, "run", "--resume", "latest")
    assert [event.adapter for event in events(store, "AdapterTrained")] == ["student-1", "anew"]
    folder = store / "adapters" / json_answers(store, "runs")[0]["run"]
    assert json.loads((folder / "anew" / "adapter" / "adapter_config.json").read_text())["r"] == 2, (
        "as it was asked for"
    )
    assert not (folder / ".anew.training").exists()
    assert [event.adapter for event in events(store, "DatasetBuilt")] == ["student-1", "anew"]
    assert json_answer(store, "lineage", "anew")["files"][0]["verdict"] == "same", "made again from the log"


def test_retracting_what_is_not_there_or_is_retracted_writes_nothing(store: Path) -> None:
    answer(store, "retract", "1/0", "--reason", "once")
    size = len(events(store))
    for what, reason, error in (
        ("1/0", "twice", RetractionError),
        ("99", "no such task", UnknownName),
        ("1/9", "no such attempt", UnknownName),
        ("eval/student-1/3", "not practice", UnknownName),
        ("1", " ", RetractionError),
    ):
        assert isinstance(invoke(store, "retract", what, "--reason", reason).exception, error), what
    assert len(events(store)) == size
    learnt = {source.split("/")[0] for source in sources(store)}
    task = next(event.task for event in events(store, "TaskProposed") if str(event.task) not in learnt)
    with pytest.raises(RetractionError, match="no adapter to rebuild"):
        unused = invoke(store, "retract", str(task), "--reason", "in no dataset")
        assert "in no dataset" in unused.output
        raise invoke(store, "train", "latest", "--without-retracted").exception or AssertionError


def test_a_run_that_another_process_drives_is_left_alone(store: Path) -> None:
    with EventLog.open(store / "log.db") as log, log.lease(log.runs()[0]):
        for command in (["retract", "1", "--reason", "no"], ["train", "latest", "--without-retracted"]):
            result = invoke(store, *command)
            assert isinstance(result.exception, RunInUse)
            assert "is driven by process" in str(result.exception)
    assert events(store, "Retracted") == []


def test_without_a_store_nothing_is_made(tmp_path: Path) -> None:
    for command in (
        ["retract", "1", "--reason", "no"],
        ["train", "latest", "--without-retracted"],
        ["lineage", "student-1"],
        ["audit"],
    ):
        assert invoke(tmp_path / "none", *command).exception is not None
    assert not (tmp_path / "none").exists()


def test_a_training_needs_a_usable_name_and_changes_no_other_setting(store: Path) -> None:
    answer(store, "retract", sources(store)[0], "--reason", "no")
    for name in ("student-1", "../x", "base-few-shot", "12", "a/b", ""):
        for how in ((), ("--without-retracted",)):
            result = invoke(store, "train", "latest", *how, "--name", name)
            assert isinstance(result.exception, TrainingRefused), name
    for wrong in ("seed=2", "training.roles=[teacher]", "training.rank=0", "training.rnak=2", "training.method=magic"):
        assert isinstance(invoke(store, "train", "latest", "--set", wrong).exception, ConfigurationError), wrong
    assert isinstance(events(store)[-1], ev.Retracted), "nothing is begun"


def test_a_run_s_practice_is_learnt_from_again_with_other_settings(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support import studious

    monkeypatch.setattr(studious, "HELD_OUT", {})  # the new one knows nothing
    lines = json_answers(store, *documented()[0])
    assert next(line for line in lines if "adapter" in line)["outcome"] == "not promoted"
    assert lines[-1]["serving"]["student"] == "student-1"
    assert isinstance(events(store)[-1], ev.AdapterRejected)
    [requested], (_, started) = events(store, "TrainingRequested"), events(store, "TrainingStarted")
    assert started.settings == requested.settings
    assert (started.settings["epochs"], started.settings["rank"], started.settings["batch_size"]) == (3, 16, 8)
    assert sources(store, "student-longer") == sources(store), "the practice is what it was"
    assert "trainings" in answer(store, "replay", "latest", "--verify")

    shown = answer(store, "show", "student-longer")
    _, trained = events(store, "AdapterTrained")
    told = [event for event in events(store, "TrainingProgressed") if event.adapter == "student-longer"]
    assert [event.loss for event in told] == list(trained.loss), "a training as short as this one tells of every step"
    assert f"step {trained.steps} of {trained.steps}" in shown
    assert max(len(line) for line in shown.splitlines() if "because" not in line) <= 80
    assert json_answer(store, "show", "student-longer")["training"][-1]["tokens"] == told[-1].tokens
    assert json_answers(store, "runs")[0]["status"] == "completed"
