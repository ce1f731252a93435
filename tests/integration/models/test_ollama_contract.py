"""What every backend keeps to, by `ollama` with the small model in a real llama-server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent0es.models.artifacts import MERGED, Artifacts
from agent0es.models.base import Deployment, Weights
from agent0es.models.ollama import OllamaBackend
from agent0es.models.weights import EMBEDDED_NAME, find_weights
from agent0es.testing import BackendContract
from tests.support.engines import tiny_weights

pytest.importorskip("xllamacpp", reason="the extra dev has it")
from tests.support.ollama_server import OllamaServer


def adapter(folder: Path, base: Weights) -> Deployment:
    """The base itself, as if it were trained: what is served is to be seen by its name."""
    (folder / MERGED).symlink_to(base.path)
    return Deployment("student-1", Artifacts(folder, {MERGED: base.sha256}))


class TestOllama(BackendContract):
    """A tiny model, which says nothing but words, with the template of its own GGUF."""

    @pytest.fixture(scope="class")
    def base(self, tmp_path_factory: pytest.TempPathFactory) -> Weights:
        return tiny_weights(tmp_path_factory.mktemp("tiny"), "qwen2", context=4096, words=True)

    @pytest.fixture(scope="class")
    def server(self, tmp_path_factory: pytest.TempPathFactory, base: Weights) -> Iterator[OllamaServer]:
        with OllamaServer(tmp_path_factory.mktemp("ollama")) as running:
            running.library.add("base:1b", base.path)
            yield running

    @pytest.fixture
    def backend(self, server: OllamaServer, base: Weights, tmp_path: Path) -> OllamaBackend:
        self.deployment = adapter(tmp_path, base)
        return OllamaBackend.create("base:1b", base_url=server.url)


@pytest.mark.slow
class TestOllamaWithTheSmallModel(TestOllama):
    """The embedded model, as `ollama create` would make it of its GGUF: with Ollama's own template for ChatML, in which
    a turn that has begun is not continued."""

    @pytest.fixture(scope="class")
    def base(self) -> Weights:
        return find_weights(EMBEDDED_NAME)

    @pytest.fixture(scope="class")
    def server(self, tmp_path_factory: pytest.TempPathFactory, base: Weights) -> Iterator[OllamaServer]:
        with OllamaServer(tmp_path_factory.mktemp("ollama")) as running:
            running.library.add("base:1b", base.path)
            running.library.create("base:1b", f"sha256:{base.sha256}", {})
            yield running
