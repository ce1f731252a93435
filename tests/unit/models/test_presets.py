"""What becomes of a llama-server's file of presets: an adapter's section comes and goes, the rest stays as it was."""

import asyncio
import stat
from pathlib import Path

import pytest

from agent0es.models.artifacts import LORA_GGUF, Artifacts
from agent0es.models.base import Deployment
from agent0es.models.http import HttpClient, HttpOptions, Key
from agent0es.models.openai_compatible.presets import RouterAdapters, with_adapter, without

PRESETS = """version = 1

; for all
[*]
c = 2048

[smol]
; the base
model = /models/smol.gguf
load-on-startup = true
alias = small
temp = 0.5

[other]
model = /models/other.gguf
"""


def test_an_adapter_is_its_models_section_with_a_file_more() -> None:
    changed = with_adapter(PRESETS, "smol", "student-1-abc", "lora", "/store/lora.gguf")
    assert changed == PRESETS + ("\n[student-1-abc]\nmodel = /models/smol.gguf\ntemp = 0.5\nlora = /store/lora.gguf\n")


def test_merged_weights_stand_in_for_the_models_own() -> None:
    changed = with_adapter(PRESETS, "smol", "student-1-abc", "model", "/store/merged.gguf")
    assert changed.endswith("\n[student-1-abc]\ntemp = 0.5\nmodel = /store/merged.gguf\n")


def test_who_may_read_the_file_and_where_it_lies_stay_as_they_were(tmp_path: Path) -> None:
    file, link = tmp_path / "own" / "presets.ini", tmp_path / "presets.ini"
    file.parent.mkdir()
    file.write_text(with_adapter(PRESETS, "smol", "student-1-abcabcabcabc", "lora", "/store/lora.gguf"))
    file.chmod(0o640)
    link.symlink_to(file)
    nobody = HttpClient("llama", "http://127.0.0.1:9", Key(None), HttpOptions(tries=1))
    trained = Deployment("student-1", Artifacts(tmp_path, {LORA_GGUF: "abcabcabcabcabc"}))
    asyncio.run(RouterAdapters(nobody, link, "smol", str).retire(trained))
    assert link.is_symlink() and file.read_text().rstrip() == PRESETS.rstrip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.parametrize("text", [PRESETS, PRESETS.rstrip("\n"), PRESETS.replace("\n\n", "\n")])
def test_what_was_added_can_be_taken_away(text: str) -> None:
    once = with_adapter(text, "smol", "student-1-abc", "lora", "/store/lora.gguf")
    twice = with_adapter(once, "smol", "student-2-def", "lora", "/store/2/lora.gguf")
    assert with_adapter(once, "smol", "student-1-abc", "lora", "/store/lora.gguf") == once, "adding it again is nothing"
    assert (
        without(twice, "student-1-abc").rstrip()
        == with_adapter(text, "smol", "student-2-def", "lora", "/store/2/lora.gguf").rstrip()
    )
    assert without(without(twice, "student-2-def"), "student-1-abc").rstrip() == text.rstrip()


@pytest.mark.parametrize(
    ("text", "file", "why"),
    [
        ("[other]\nmodel = /a.gguf\n", "/lora.gguf", "no section \\[smol\\]"),
        ("[smol]\nmodel = /a.gguf\nlora = /b.gguf\n", "/lora.gguf", "a `lora` of its own"),
        (PRESETS, "/a,b/lora.gguf", "letters that a file of presets can't hold"),
        (PRESETS, "/a\n[evil]/lora.gguf", "letters that a file of presets can't hold"),
    ],
)
def test_what_would_mean_something_else_is_not_written(text: str, file: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        with_adapter(text, "smol", "student-1-abc", "lora", str(Path(file)))
