"""The contract that ships, kept by the backend `openai-compatible` in front of a real llama-server."""

import asyncio
import importlib.util
from collections.abc import Iterator

import pytest

from agent0es.models.openai_compatible import OpenAiCompatibleBackend
from agent0es.models.weights import find_weights
from agent0es.testing import BackendContract
from agent0es.testing.models import BEGUN, ask
from tests.support.llama_server import LlamaServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="needs the package xllamacpp"),
]
MODEL = "smollm2-135m-instruct"


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    with LlamaServer(find_weights(MODEL).path, n_ctx=8 * 2048, n_parallel=8) as server:
        yield server


class TestLlamaServer(BackendContract):
    @pytest.fixture
    def backend(self, server: LlamaServer) -> OpenAiCompatibleBackend:
        return OpenAiCompatibleBackend.create("SmolLM2-135M-Instruct.Q4_1", base_url=server.url)


def test_tokens_are_what_the_text_is_made_of(server: LlamaServer) -> None:
    async def asked() -> None:
        backend = OpenAiCompatibleBackend.create("SmolLM2-135M-Instruct.Q4_1.gguf", base_url=f"{server.url}/v1")
        facts = backend.capabilities
        assert facts.logprobs and facts.prefill and facts.structured_output and facts.context == 2048
        [free] = await backend.generate([ask(max_tokens=12)])
        assert free.token_ids is not None and free.logprobs is not None
        assert len(free.token_ids) == len(free.logprobs) == free.usage.written == 12
        [begun] = await backend.generate([ask(prefill=BEGUN, max_tokens=4)])
        assert begun.text.strip().startswith("five")
        await backend.close()

    asyncio.run(asked())
