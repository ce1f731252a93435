"""The backend `transformers` on the embedded model: the contract, and answers that are those of the library itself."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent0es.models.base import Completion, Deployment, GenerationRequest
from agent0es.models.transformers import TransformersBackend
from agent0es.models.weights import base_model_dir
from agent0es.testing import BackendContract
from agent0es.testing.models import ask
from agent0es.training.base import Trained

pytestmark = pytest.mark.slow
QUESTIONS = [
    "What is the capital of France?",
    "Name a fruit.",
    "What is 2 + 2?",
    "Write a sentence about a cat.",
    "river",
]


@pytest.fixture(scope="module")
def embedded(base_cache: Path) -> Iterator[TransformersBackend]:
    backend = TransformersBackend.create("smollm2-135m-instruct", cache=base_cache, threads=1)
    yield backend
    asyncio.run(backend.close())


class TestEmbedded(BackendContract):
    closes = False

    @pytest.fixture
    def backend(self, embedded: TransformersBackend) -> TransformersBackend:
        return embedded

    @pytest.fixture(autouse=True)
    def _adapter(self, trained: Trained) -> None:
        self.deployment = Deployment("student-1", trained.artifacts)


async def test_greedy_answers_are_those_of_the_library(embedded: TransformersBackend, base_cache: Path) -> None:
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(folder_of(embedded, base_cache), dtype="float32")
    requests = [ask(question, 24) for question in QUESTIONS]
    for request, completion in zip(requests, await embedded.generate(requests), strict=True):
        written, logprobs = greedy(model, embedded, request, base_cache)
        assert completion.token_ids == written
        assert completion.logprobs == pytest.approx(logprobs, abs=1e-3)


async def test_adapters_in_a_batch_answer_as_peft_does(
    embedded: TransformersBackend, base_cache: Path, trained: Trained
) -> None:
    from peft import PeftModel
    from transformers import LlamaForCausalLM

    base = LlamaForCausalLM.from_pretrained(folder_of(embedded, base_cache), dtype="float32")
    requests = [ask(question, 16) for question in QUESTIONS]
    await embedded.deploy(Deployment("words", trained.artifacts))
    adapted, plain = await asyncio.gather(embedded.generate(requests, "words"), embedded.generate(requests))
    await embedded.retire("words")

    def same(model: Any, completions: Sequence[Completion]) -> None:
        for request, completion in zip(requests, completions, strict=True):
            written, logprobs = greedy(model, embedded, request, base_cache)
            assert completion.token_ids == written
            assert completion.logprobs == pytest.approx(logprobs, abs=1e-3)

    same(base, plain)
    same(PeftModel.from_pretrained(base, trained.artifacts.peft), adapted)  # which puts the adapter into `base` itself
    assert adapted[-1].text == "Word: river!"


@pytest.mark.parametrize("quantize", ["4bit", "8bit"])
async def test_quantized_weights_answer_nearly_alike(base_cache: Path, quantize: str, trained: Trained) -> None:
    pytest.importorskip("bitsandbytes", reason="the extra `quantized` is not installed")
    backend = TransformersBackend.create(
        "smollm2-135m-instruct", cache=base_cache, threads=1, quantize=quantize, device="cpu"
    )
    try:
        await backend.deploy(Deployment("words", trained.artifacts))
        answers = await asyncio.gather(
            backend.generate([ask("river", 8)], "words"), backend.generate([ask("river", 8)])
        )
        [[adapted], [plain]] = answers
        assert adapted.text == "Word: river!"
        assert plain.text and plain.text != adapted.text
        assert backend.name == f"smollm2-135m-instruct:{quantize}"
    finally:
        await backend.close()


def folder_of(backend: TransformersBackend, cache: Path) -> Path:
    return base_model_dir(cache, backend.weights.path)


def greedy(
    model: Any, backend: TransformersBackend, request: GenerationRequest, cache: Path
) -> tuple[tuple[int, ...], list[float]]:
    """What `generate` writes to one prompt, and the log-probabilities that the model gives it."""
    import torch
    from tokenizers import Tokenizer

    torch.set_num_threads(1)  # more would spin, and the engine wants the cores too
    tokenizer = Tokenizer.from_file(str(folder_of(backend, cache) / "tokenizer.json"))
    ids = torch.tensor([tokenizer.encode(backend.template.render(request.messages)).ids])
    with torch.inference_mode():
        whole = model.generate(input_ids=ids, max_new_tokens=request.max_tokens, do_sample=False)
        written = whole[0, ids.shape[1] :]
        logits = model(input_ids=whole).logits[0, ids.shape[1] - 1 : -1].log_softmax(-1)
    return tuple(written.tolist()), logits.gather(1, written[:, None])[:, 0].tolist()
