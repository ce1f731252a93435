"""Trained adapters on a llama-server in router mode."""

from pathlib import Path

import pytest

from agent0es.errors import ModelNotFound
from agent0es.models.artifacts import LORA_GGUF, Artifacts
from agent0es.models.base import Completion, Deployment, WrongWeights
from agent0es.models.gguf_file import GgufFile
from agent0es.models.openai_compatible import OpenAiCompatibleBackend
from agent0es.models.weights import find_weights
from agent0es.testing.models import ask
from tests.support.adapters import write_random_adapter

pytest.importorskip("xllamacpp", reason="the extra dev has it")
from tests.support.llama_router import free_port, router

BASE = find_weights("smollm2-135m-instruct").path
WORDS = ask(max_tokens=8)


@pytest.fixture
def presets(tmp_path: Path) -> Path:
    file = tmp_path / "presets.ini"
    file.write_text(f"version = 1\n\n[*]\nc = 1024\n\n; ours\n[smol]\nmodel = {BASE}\n")
    return file


@pytest.fixture
def adapter(tmp_path: Path) -> Deployment:
    folder = tmp_path / "adapter"
    folder.mkdir()
    write_random_adapter(GgufFile.open(BASE), folder / LORA_GGUF)
    return Deployment("student-1", Artifacts.measure(folder))


def backend_of(url: str, presets: Path) -> OpenAiCompatibleBackend:
    return OpenAiCompatibleBackend.create("smol", base_url=url, presets=str(presets), tries=2)


def text_of(file: Path) -> str:
    return file.read_text()


def said(answers: list[Completion]) -> list[tuple[str, str | None, tuple[float, ...] | None]]:
    return [(answer.text, answer.adapter, answer.logprobs) for answer in answers]


async def test_an_adapter_answers_beside_its_base_and_after_a_restart(presets: Path, adapter: Deployment) -> None:
    before, port = text_of(presets), free_port()
    with router(presets, port) as url:
        backend = backend_of(url, presets)
        assert backend.capabilities.adapters == {"lora-gguf", "merged"}
        base = said(await backend.generate([WORDS]))
        await backend.deploy(adapter)
        await backend.deploy(adapter)
        adapted = said(await backend.generate([WORDS], "student-1"))
        assert adapted[0][1] == "student-1" and adapted[0][2] != base[0][2]
        assert said(await backend.generate([WORDS])) == base
    with router(presets, port, autoload=False):  # it was restarted, and loads nothing by itself
        assert said(await backend.generate([WORDS], "student-1")) == adapted
        await backend.retire("student-1")
        assert text_of(presets).rstrip() == before.rstrip()
        with pytest.raises(ModelNotFound, match="not deployed"):
            await backend.generate([WORDS], "student-1")
        assert said(await backend.generate([WORDS])) == base
        await backend.close()


async def test_what_can_not_be_served_is_said(presets: Path, adapter: Deployment, tmp_path: Path) -> None:
    with router(presets, autoload=False) as url:
        backend = backend_of(url, presets)
        file = adapter.artifacts.lora_gguf
        good = file.read_bytes()
        file.write_bytes(good + b" ")
        with pytest.raises(WrongWeights, match=r"^adapter student-1: .*lora.gguf: its sha256 is"):
            await backend.deploy(adapter)
        file.write_bytes(good[: len(good) // 2])
        with pytest.raises(ModelNotFound, match=r"could not load student-1-.*presets.ini; where the server"):
            await backend.deploy(Deployment("student-1", Artifacts.measure(file.parent)))
        elsewhere = backend_of(url, tmp_path / "none.ini")
        with pytest.raises(ModelNotFound, match=r"none.ini: No such file"):
            await elsewhere.deploy(Deployment("student-1", Artifacts.measure(file.parent)))
        await elsewhere.close()
        await backend.close()
