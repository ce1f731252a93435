"""`agent0es adapters export`: an adapter of a run in a file for other programs."""

import filecmp
import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import Result

from agent0es.errors import StoreError, UnknownName, UserError
from agent0es.models.gguf_file import GgufFile
from tests.support.commands import invoke


def adapters(store: Path) -> list[Path]:
    """Folders of adapters in a store, that of the student first."""
    return sorted((store / "adapters").glob("*/*"), key=lambda path: not path.name.startswith("student"))


def export(store: Path, output: Path, form: str, name: str = "student-1") -> Result:
    return invoke(store, "adapters", "export", name, "--to", form, "-o", str(output))


def test_the_documented_lines_work(finished: Path, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()
    lines = re.findall(r"^agent0es (adapters export .*)$", page, re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        done = invoke(finished, *shlex.split(line.replace("/tmp/", f"{tmp_path}/")))
        assert done.exit_code == 0, done.exception
    assert sorted(path.name for path in tmp_path.iterdir()) == ["student-1", "student-1.gguf"]


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
        invoke(finished, "adapters", "export", "student-1", "--to", "merged-f16", "-o", str(f16), "--json").stdout
    )
    assert (told["adapter"], told["form"], told["bytes"]) == ("student-1", "merged-f16", f16.stat().st_size)
    assert GgufFile.open(f16).metadata["general.file_type"] == 1
    assert export(finished, merged, "merged-f16").exit_code == 0, "a GGUF may be written over"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f16.gguf", "lora.gguf", "peft", "q8.gguf"]


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


def test_another_base_is_refused(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agent0es.models import weights

    monkeypatch.setattr(weights, "_sha256", lambda path: "0" * 64)
    refused = export(store, tmp_path / "out.gguf", "merged-q8_0").exception
    assert isinstance(refused, UserError) and "but the adapter was trained on" in str(refused)
