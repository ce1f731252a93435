"""`agent0es export adapter`: an adapter of a run in a file for other programs."""

import filecmp
import json
import random
import re
import shlex
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from click.testing import Result

from agent0es import bootstrap
from agent0es.domain import events as ev
from agent0es.errors import StoreError, UnknownName, UserError
from agent0es.log import EventLog, NewEvent
from agent0es.models.artifacts import Artifacts
from agent0es.models.base import Weights
from agent0es.models.gguf_file import GgufFile
from tests.support.commands import invoke, json_answer
from tests.unit.projections.history import history


def adapters(store: Path) -> list[Path]:
    """Folders of adapters in a store, that of the student first."""
    return sorted((store / "adapters").glob("*/*"), key=lambda path: not path.name.startswith("student"))


def export(store: Path, output: Path, form: str, name: str = "student-1") -> Result:
    return invoke(store, "export", "adapter", name, "--to", form, "-o", str(output))


def test_the_documented_lines_work(finished: Path, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()
    lines = re.findall(r"^agent0es (export adapter .*)$", page, re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        done = invoke(finished, *shlex.split(line.replace("/tmp/", f"{tmp_path}/")))
        assert done.exit_code == 0, done.exception
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("student-1", "student-1-ollama", "student-1.gguf", "student-1.gguf.md")
    ]


def test_each_form_is_what_the_trainer_wrote(finished: Path, tmp_path: Path) -> None:
    student = adapters(finished)[0]
    merged, lora, peft, f16 = (tmp_path / name for name in ("q8.gguf", "lora.gguf", "peft", "f16.gguf"))
    assert export(finished, merged, "merged-q8_0").exit_code == 0
    assert export(finished, lora, "lora-gguf").exit_code == 0
    done = export(finished, peft, "peft", f"{student.parent.name}/student-1")
    assert done.exit_code == 0 and f"student-1 of run {student.parent.name} as peft in" in done.stderr
    assert filecmp.cmp(merged, student / "merged.gguf", shallow=False)
    assert filecmp.cmp(lora, student / "lora.gguf", shallow=False)
    assert json.loads((peft / "adapter_config.json").read_text())["peft_type"] == "LORA"
    assert filecmp.cmp(peft / "adapter_model.safetensors", student / "adapter" / "adapter_model.safetensors")
    told = json.loads(
        invoke(finished, "export", "adapter", "student-1", "--to", "merged-f16", "-o", str(f16), "--json").stdout
    )
    assert (told["adapter"], told["form"], told["bytes"]) == ("student-1", "merged-f16", f16.stat().st_size)
    assert GgufFile.open(f16).metadata["general.file_type"] == 1
    assert export(finished, merged, "merged-f16").exit_code == 0, "a GGUF may be written over"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("f16.gguf", "f16.gguf.md", "lora.gguf", "lora.gguf.md", "peft", "q8.gguf", "q8.gguf.md")
    ]
    card = (peft / "README.md").read_text()
    assert card == (tmp_path / "lora.gguf.md").read_text()
    record = json_answer(finished, "lineage", "student-1")
    for score in record["evaluation"]:
        assert f"| {score['correct']} | {score['problems']} | {score['low']:.3f} to {score['high']:.3f} |" in card
    assert record["dataset"]["sha256"] in card and record["base_weights"] in card and "begins at the base model" in card
    run = record["run"]
    assert f"agent0es config show {run} > run.yaml && agent0es run --config run.yaml    # seed 0" in card
    assert f"agent0es eval --adapter {run}/student-1 --suite held-out" in card
    assert f"agent0es replay {run} --verify" in card


def measured(adapter: str, right: int) -> list[ev.Event]:
    """An evaluation by itself."""
    way = ev.Way(format="cot", shots=0, adapter=adapter, adapter_run="r", samples=1, temperature=0.0, max_tokens=8)
    begun = {"suite": "gsm8k.jsonl", "way": way, "seed": 1, "configuration": {}, "code_version": "1"} | {
        "weights": {},
        "prompts": {},
    }
    shares = {"pass_at": {"1": right / 4}, "low": 0.301, "high": 0.954, "majority": None}
    others = ("lenient", "lenient_low", "lenient_high", "unanswered", "undecided", "with_tool")
    counts = ("prompt_tokens", "completion_tokens")
    parts = {"by_domain": {}, "by_family": {}, "by_difficulty": {}}
    done = {"problems": 4, "samples": 1, **shares, **dict.fromkeys((*others, *counts), 0.0), **parts}
    return [ev.EvaluationStarted(**begun), ev.EvaluationCompleted(**done)]


def test_an_adapter_that_goes_on_from_another_is_exported_with_its_lineage(tmp_path: Path) -> None:
    """As by `agent0es train --method grpo`."""
    files = {"adapter_config.json": '{"peft_type": "LORA"}', "adapter_model.safetensors": "weights"}
    folder = tmp_path / "adapters" / "r" / "student-1-grpo"
    (folder / "adapter").mkdir(parents=True)
    for name, text in files.items():
        (folder / "adapter" / name).write_text(text)
    about: dict[str, Any] = {"adapter": "student-1-grpo", "role": "student", "iteration": 1}
    learnt = {"examples": 2, "sha256": "d" * 64, "per_family": {"gcd": 2}, "sources": ("1/0", "1/1")}
    how = {"rows": "groups", "method": "grpo", "start": "student-1", "left_out": {"alike": 4}}
    made = {"path": "adapters/r/student-1-grpo", "files": Artifacts.measure(folder).files, "steps": 1, "loss": (0.5,)}
    with EventLog.open(tmp_path / "log.db") as log:
        log.append(history(random.Random(3), "r", iterations=1), handler="test")
        asked = ev.TrainingRequested(**about, replaces=None, settings={"method": "grpo"})
        events = [asked, ev.DatasetBuilt(**about, **learnt, **how), ev.AdapterTrained(**about, **made)]
        log.append([NewEvent("adapter/r/student-1-grpo", event) for event in events], handler="test")
        log.append([NewEvent("evaluation/eval-1", event) for event in measured("student-1-grpo", 3)], handler="test")
        log.append([NewEvent("evaluation/eval-2", event) for event in measured("student-1", 9)], handler="test")
    done = export(tmp_path, tmp_path / "out", "peft", "student-1-grpo")
    assert done.exit_code == 0, done.exception
    assert all((tmp_path / "out" / name).read_text() == text for name, text in files.items())
    card = (tmp_path / "out" / "README.md").read_text()
    [own, before] = [line for line in card.splitlines() if line.startswith("- **")]
    assert own.startswith("- **student-1-grpo**, by grpo, goes on from student-1;") and "d" * 64 in card
    assert before.startswith("- **student-1**, by rft, begins at the base model;")
    assert "left out: 4 of groups that were all rewarded alike" in card
    assert "| student-1-grpo, cot | gsm8k.jsonl, by itself | 3 | 4 | 0.301 to 0.954 |" in card and "| 9 |" not in card
    commands = card[card.index("## Train it again") :]
    assert "agent0es train latest --role student --set 'training.method=\"grpo\"' --name student-1-grpo\n" in commands
    assert commands.index("config show r >") < commands.index("agent0es train")
    assert (
        "--adapter r/student-1-grpo --file gsm8k.jsonl --format cot --shots 0 --k 1 --limit 4 --set seed=1\n"
        in commands
    )


def test_what_can_not_be_exported_is_said_in_one_line(store: Path, tmp_path: Path) -> None:
    refused = export(store, tmp_path / "out", "peft", "student-7").exception
    assert isinstance(refused, UnknownName) and "has no adapter 'student-7'" in str(refused)
    (tmp_path / "notes.txt").write_text("mine")
    refused = export(store, tmp_path / "notes.txt", "merged-q8_0").exception
    assert isinstance(refused, UserError) and "is there already, and is no GGUF" in str(refused)
    refused = export(store, tmp_path, "lora-gguf").exception
    assert isinstance(refused, UserError) and "is a folder; name a file in it" in str(refused)
    refused = export(store, tmp_path, "peft").exception
    assert isinstance(refused, UserError) and "is there already; name a folder that is not" in str(refused)
    refused = export(store, tmp_path / "no" / "such" / "folder.gguf", "lora-gguf").exception
    assert isinstance(refused, StoreError) and "No such file or directory" in str(refused)
    weights = adapters(store)[0] / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"evil")
    refused = export(store, tmp_path / "out.gguf", "lora-gguf").exception
    assert isinstance(refused, StoreError) and "adapter_model.safetensors is different, not what was" in str(refused)
    assert not (tmp_path / "out.gguf").exists() and (tmp_path / "notes.txt").read_text() == "mine"


def test_a_gguf_is_not_made_from_a_folder_of_hugging_face(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Mock(weights=Weights("tiny", tmp_path, "0" * 64))
    monkeypatch.setattr(bootstrap, "model_of", lambda *given: model)
    refused = export(store, tmp_path / "out.gguf", "lora-gguf").exception
    assert isinstance(refused, UserError) and "a folder of Hugging Face" in str(refused)


def test_another_base_is_refused(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agent0es.models import weights

    monkeypatch.setattr(weights, "_sha256", lambda path: "0" * 64)
    refused = export(store, tmp_path / "out.gguf", "merged-q8_0").exception
    assert isinstance(refused, UserError) and "but the adapter was trained on" in str(refused)
