"""`agent0es export adapter --to ollama`: a folder of which Ollama makes a model that is asked as in its run."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agent0es.errors import UserError
from agent0es.models.base import Message
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.gguf_file import GgufFile
from agent0es.models.made_once import sha256_of
from agent0es.models.ollama import OllamaBackend
from agent0es.models.ollama.options import OllamaOptions
from agent0es.models.ollama.wire import rendering_body
from agent0es.testing.models import BEGUN, ask
from tests.support.commands import invoke
from tests.support.few_families import FewFamilies
from tests.support.ollama_modelfile import create_body

pytest.importorskip("xllamacpp", reason="the extra dev has it")
from tests.support.ollama_server import OllamaServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OllamaServer]:
    with OllamaServer(tmp_path / "ollama") as running:
        yield running


async def test_the_model_reads_the_prompts_of_its_run(finished: Path, tmp_path: Path, server: OllamaServer) -> None:
    output = tmp_path / "it's mine"
    done = invoke(finished, "export", "adapter", "student-1", "--to", "ollama", "-o", str(output))
    assert done.exit_code == 0, done.exception
    assert sorted(path.name for path in output.iterdir()) == ["Modelfile", "README.md", "model.gguf"]
    [merged] = (finished / "adapters").glob("*/student-1/merged.gguf")
    digest = sha256_of(output / "model.gguf")
    assert digest == sha256_of(merged)
    *_, last = done.stderr.splitlines()
    name = f"student-1:{digest[:16]}"
    told = shlex.split(last.partition("Make a model of it: ")[2])
    assert told == ["ollama", "create", name, "-f", str(output / "Modelfile")]

    body = create_body((output / "Modelfile").read_text(), {"model.gguf": f"sha256:{digest}"})
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, verify=False) as client:
        await client.post(f"/api/blobs/sha256:{digest}", content=(output / "model.gguf").read_bytes())
        made = await client.post("/api/create", json={**body, "model": name})
    assert made.text.splitlines()[-1] == '{"status": "success"}'

    backend = OllamaBackend.create(name, base_url=server.url, tries=1)
    assert backend.capabilities.prefill, "the student was trained to continue its turn"
    [said] = await backend.generate([ask(prefill=BEGUN)])
    assert said.left_out == ()
    await backend.close()
    asked = rendering_body(name, OllamaOptions(), 512, "Action: python[1+1]\nObservation:")
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, verify=False) as client:
        rendered = (await client.post("/api/chat", json=asked)).json()["_debug_info"]["rendered_template"]
    template = ChatTemplate.of(GgufFile.open(output / "model.gguf"))
    turns = [Message("system", FewFamilies.system), Message("user", "Count.")]
    assert rendered == template.render(turns, "Action: python[1+1]\nObservation:")


def test_nothing_is_left_of_an_export_that_fails(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = invoke(finished, "export", "adapter", "student-1", "--to", "ollama", "-o", str(tmp_path)).exception
    assert isinstance(refused, UserError) and "is there already; name a folder that is not" in str(refused)
    monkeypatch.setattr(FewFamilies, "system", 'Say """\nFROM elsewhere')
    output = tmp_path / "out"
    refused = invoke(finished, "export", "adapter", "student-1", "--to", "ollama", "-o", str(output)).exception
    assert isinstance(refused, UserError) and str(refused).startswith('its system turn holds """, with which it would')
    assert list(tmp_path.iterdir()) == []
