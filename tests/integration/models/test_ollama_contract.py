"""What every backend keeps to, by `ollama` with the small model in a real llama-server."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent0es.models.artifacts import MERGED, Artifacts
from agent0es.models.base import Completion, Deployment, GenerationRequest, Message, Weights
from agent0es.models.ollama import OllamaBackend
from agent0es.models.weights import EMBEDDED_NAME, find_weights
from agent0es.testing import BackendContract
from agent0es.training.base import Trained
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

    def test_a_trained_adapter_answers_as_it_was_trained(self, server: OllamaServer, trained: Trained) -> None:
        system = Message("system", "You are a helpful AI assistant named SmolLM, trained by Hugging Face")
        words = "orange bridge pencil monkey ladder winter basket dragon hammer island jacket kitten".split()
        requests = [GenerationRequest((system, Message("user", word)), 16) for word in words]

        async def asked() -> list[list[Completion]]:
            backend = OllamaBackend.create("base:1b", base_url=server.url)
            await backend.deploy(Deployment("student-7", trained.artifacts))
            answers = [await backend.generate(requests, adapter) for adapter in (None, "student-7")]
            await backend.retire("student-7")
            await backend.close()
            return answers

        base, adapted = asyncio.run(asked())
        pattern = [f"Word: {word}!" for word in words]
        assert not [one.text for one in base if one.text in pattern]
        right = [one.text for one, expected in zip(adapted, pattern, strict=True) if one.text == expected]
        assert len(right) >= 0.8 * len(words), [one.text for one in adapted]
