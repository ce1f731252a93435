"""The contract that ships, kept by the backend `openai-compatible` in front of a real llama-server."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent0es.errors import ConfigurationError
from agent0es.models.openai_compatible import OpenAiCompatibleBackend
from agent0es.models.weights import EMBEDDED_NAME, find_weights
from agent0es.testing import BackendContract
from agent0es.testing.models import BEGUN, ask
from tests.support.engines import tiny_weights
from tests.support.llama_server import LlamaServer

pytest.importorskip("xllamacpp", reason="the extra dev has it")


class TestTinyModel(BackendContract):
    """A tiny model, which says nothing but words."""

    @pytest.fixture(scope="class")
    def server(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
        tiny = tiny_weights(tmp_path_factory.mktemp("tiny"), "qwen2", context=4096, words=True)
        with LlamaServer(tiny.path, n_ctx=4 * 4096, n_parallel=4) as running:
            yield running

    @pytest.fixture
    def backend(self, server: LlamaServer) -> OpenAiCompatibleBackend:
        return OpenAiCompatibleBackend.create("tiny", base_url=server.url)

    def test_training_starts_from_the_weights_that_it_has(self, server: LlamaServer, tmp_path: Path) -> None:
        same = tiny_weights(tmp_path, "qwen2", words=True)
        able = OpenAiCompatibleBackend.create("tiny", base_url=server.url, weights=str(same.path)).capabilities
        assert able.context == 4096
        other = OpenAiCompatibleBackend.create("tiny", base_url=server.url, weights=EMBEDDED_NAME)
        told = (
            r"options.weights: .* is not the model tiny.*: it has a vocabulary of 49,152 tokens, the server's model \d"
        )
        with pytest.raises(ConfigurationError, match=told):
            _ = other.capabilities


@pytest.mark.slow
class TestSmallModel(BackendContract):
    """The embedded model, in the four bits of its file."""

    test_the_text_ends_before_a_stop_string = None  # it writes one long number here, and the test asks for words

    @pytest.fixture(scope="class")
    def server(self) -> Iterator[LlamaServer]:
        with LlamaServer(find_weights(EMBEDDED_NAME).path, n_ctx=8 * 2048, n_parallel=8) as running:
            yield running

    @pytest.fixture
    def backend(self, server: LlamaServer) -> OpenAiCompatibleBackend:
        return OpenAiCompatibleBackend.create("SmolLM2-135M-Instruct.Q4_1", base_url=server.url)

    def test_tokens_are_what_the_text_is_made_of(self, server: LlamaServer) -> None:
        async def asked() -> None:
            backend = OpenAiCompatibleBackend.create("SmolLM2-135M-Instruct.Q4_1.gguf", base_url=f"{server.url}/v1")
            able = backend.capabilities
            assert able.logprobs and able.prefill and able.structured_output and able.context == 2048
            [free] = await backend.generate([ask(max_tokens=12)])
            assert free.token_ids is not None and free.logprobs is not None
            assert len(free.token_ids) == len(free.logprobs) == free.usage.written == 12
            [begun] = await backend.generate([ask(prefill=BEGUN, max_tokens=4)])
            assert begun.text.strip().startswith("five")
            await backend.close()

        asyncio.run(asked())
