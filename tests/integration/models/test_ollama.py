"""The backend `ollama` on a faithful server: its API in front of a real llama-server with a tiny model."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent0es.models.base import Weights
from agent0es.models.ollama import OllamaBackend
from agent0es.testing.models import BEGUN, ask
from tests.support.engines import tiny_weights

pytest.importorskip("xllamacpp", reason="the extra dev has it")
from tests.support.ollama_server import OllamaServer


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return tiny_weights(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def server(tmp_path: Path, tiny: Weights) -> Iterator[OllamaServer]:
    with OllamaServer(tmp_path / "ollama") as running:
        running.library.add("tiny:1b", tiny.path)
        yield running


async def test_it_answers(server: OllamaServer) -> None:
    backend = OllamaBackend.create("tiny:1b", base_url=server.url)
    assert (await backend.health()).detail == "tiny:1b:Q8_0 on Ollama 0.34.2"
    assert (backend.name, backend.capabilities.context) == ("tiny:1b:Q8_0", 512)
    free, begun = await backend.generate([ask(), ask(prefill=BEGUN)])
    assert free.finish_reason == begun.finish_reason == "length"
    assert begun.usage.prompt > free.usage.prompt
    await backend.close()
