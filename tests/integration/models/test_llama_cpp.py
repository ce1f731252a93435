"""The backend `llama-cpp`: the contract, adapters beside their base, and what is read once."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from agent0es.errors import ModelNotFound
from agent0es.models.artifacts import LORA_GGUF, Artifacts
from agent0es.models.base import (
    Completion,
    Deployment,
    GenerationFailed,
    GenerationRequest,
    Message,
    RequestRefused,
    Weights,
    WrongWeights,
)
from agent0es.models.gguf_file import GgufFile
from agent0es.models.llama_cpp.backend import LlamaCppBackend
from agent0es.models.weights import base_model_dir, find_weights
from agent0es.testing import BackendContract
from agent0es.testing.models import ask
from tests.support.adapters import write_random_adapter
from tests.support.engines import processes, tiny_weights

pytest.importorskip("llama_cpp", reason="the extra llama-cpp has it, which is built from source: minutes")


@pytest.fixture(scope="module")
def llama() -> Iterator[LlamaCppBackend]:
    """One thread: other tests want the cores too."""
    backend = LlamaCppBackend.create("smollm2-135m-instruct", threads=1, cache_tokens=16_384)
    yield backend
    asyncio.run(backend.close())


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return tiny_weights(tmp_path_factory.mktemp("tiny"))


def adapter(weights: Weights, folder: Path, name: str = "student-1", seed: int = 1) -> Deployment:
    """One that changes what the model says."""
    folder.mkdir(exist_ok=True)
    write_random_adapter(GgufFile.open(weights.path), folder / LORA_GGUF, seed)
    return Deployment(name, Artifacts.measure(folder))


class TestContract(BackendContract):
    closes = False

    @pytest.fixture
    def backend(self, llama: LlamaCppBackend) -> LlamaCppBackend:
        return llama

    @pytest.fixture(autouse=True)
    def _adapter(self, tmp_path: Path) -> None:
        self.deployment = adapter(find_weights("smollm2-135m-instruct"), tmp_path / "adapter")


def logprobs(completions: list[Completion]) -> list[tuple[float, ...]]:
    return [completion.logprobs or () for completion in completions]


async def test_an_adapter_answers_beside_its_base_and_others(tiny: Weights, tmp_path: Path) -> None:
    """Side by side in one batch, each as it answers alone."""
    backend = LlamaCppBackend.create(str(tiny.path), threads=1, cache_tokens=2048, prefix_cache=False)
    names = [None, "student-1", "student-2"]
    try:
        before = await backend.generate([ask(max_tokens=12)])
        for seed, name in enumerate(names[1:]):
            await backend.deploy(adapter(tiny, tmp_path / str(name), str(name), seed))
        alone = [await backend.generate([ask(max_tokens=12)], name) for name in names]
        together = await asyncio.gather(*(backend.generate([ask(max_tokens=12)] * 2, name) for name in names))
        assert alone[0] != alone[1] and logprobs(alone[1]) != logprobs(alone[2])
        for one, two in zip(alone, together, strict=True):
            assert [one[0].text] * 2 == [completion.text for completion in two]
            for expected, found in zip(logprobs(one)[0], logprobs(two)[0], strict=True):
                assert abs(expected - found) < 0.01
        await backend.retire("student-1")
        assert logprobs(await backend.generate([ask(max_tokens=12)])) == logprobs(before)
        assert (await backend.generate([ask(max_tokens=12)], "student-2"))[0].text == alone[2][0].text
    finally:
        await backend.close()


async def test_an_engine_that_dies_is_replaced_with_its_adapters(tiny: Weights, tmp_path: Path) -> None:
    backend = LlamaCppBackend.create(str(tiny.path), threads=1, cache_tokens=2048)
    try:
        await backend.deploy(adapter(tiny, tmp_path / "adapter"))
        before = await backend.generate([ask(max_tokens=12)], "student-1")
        task = asyncio.create_task(backend.generate([ask(max_tokens=400)] * 2, "student-1"))
        await asyncio.sleep(0.05)
        own = processes("agent0es.models.llama_cpp.process", os.getpid()).items()
        [engine] = [process for process, line in own if str(tiny.path) in line]
        os.kill(engine, signal.SIGSEGV)
        with pytest.raises(GenerationFailed, match="ended with -11"):
            await task
        after = await backend.generate([ask(max_tokens=12)], "student-1")
        assert logprobs(after) == logprobs(before)
    finally:
        await backend.close()


async def test_what_requests_begin_with_is_read_once(llama: LlamaCppBackend) -> None:
    rules = Message("system", "You are a careful clerk. " + "Read each line twice, then answer in one word. " * 20)

    def asked(name: str) -> GenerationRequest:
        return GenerationRequest((rules, Message("user", f"Greet {name}.")), 4)

    answers = await llama.generate([asked(name) for name in ("Ada", "Bob", "Cleo", "Dan")])
    read = sorted(completion.usage.prompt - (completion.usage.cached or 0) for completion in answers)
    assert read[-1] > 200 and read[-2] < 40, "the first reads all, the others what is their own"


async def test_what_does_not_fit_is_refused_alone(tiny: Weights) -> None:
    backend = LlamaCppBackend.create(str(tiny.path), threads=1, cache_tokens=256, context=400)
    try:
        with pytest.raises(RequestRefused, match="exceed the context of 400"):
            await backend.generate([ask("word " * 400)])
        with pytest.raises(RequestRefused, match="raise the option cache_tokens"):
            await backend.generate([ask(max_tokens=280)])
        many = await backend.generate([ask(f"Say {n}.", 40) for n in range(20)])  # they wait for one another's room
        assert len(many) == 20
    finally:
        await backend.close()


async def test_files_that_are_no_weights_are_said_to_be(tiny: Weights, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny.path.read_bytes()[:-10_000])
    backend = LlamaCppBackend.create(str(cut))
    with pytest.raises(ModelNotFound, match=r"cut.gguf: llama.cpp can't load it: \w+"):
        await backend.generate([ask()])
    await backend.close()
    backend = LlamaCppBackend.create(str(tiny.path), threads=1, cache_tokens=512)
    try:
        deployment = adapter(tiny, tmp_path / "adapter")
        good = deployment.artifacts.lora_gguf.read_bytes()
        deployment.artifacts.lora_gguf.write_bytes(good + b" ")
        with pytest.raises(WrongWeights, match="its sha256 is"):
            await backend.deploy(deployment)
        deployment.artifacts.lora_gguf.write_bytes(good[:-100])
        with pytest.raises(ModelNotFound, match=r"lora.gguf: llama.cpp can't load it: \w+"):
            await backend.deploy(Deployment("student-1", Artifacts.measure(deployment.artifacts.folder)))
        assert (await backend.generate([ask(max_tokens=2)]))[0].usage.written
    finally:
        await backend.close()


async def test_log_probabilities_are_those_of_the_weights(llama: LlamaCppBackend, base_cache: Path) -> None:
    """Against transformers in fp32, at a temperature too: they are the model's own, not the sampler's."""
    import torch
    from transformers import LlamaForCausalLM

    torch.set_num_threads(1)
    file = GgufFile.open(find_weights("smollm2-135m-instruct").path)
    model = LlamaForCausalLM.from_pretrained(base_model_dir(base_cache, file.path), dtype=torch.float32)
    tokenizer = Tokenizer.from_file(str(base_model_dir(base_cache, file.path) / "tokenizer.json"))
    requests = [ask(f"Name {n} fruits.", 12, temperature=n / 4, top_p=0.9, seed=n) for n in range(5)]
    differences = []
    for request, completion in zip(requests, await llama.generate(requests), strict=True):
        assert completion.token_ids is not None and completion.logprobs is not None
        prompt = tokenizer.encode(llama.template.render(request.messages)).ids
        assert completion.usage.prompt == len(prompt)
        written = torch.tensor(completion.token_ids)
        with torch.inference_mode():
            expected = model(input_ids=torch.tensor([[*prompt, *completion.token_ids]])).logits[0].log_softmax(-1)
        found = expected[len(prompt) - 1 : -1].gather(1, written[:, None])[:, 0]
        differences += (found - torch.tensor(completion.logprobs)).abs().tolist()
    assert len(differences) > 30
    assert sum(differences) / len(differences) < 0.1, "llama.cpp rounds to 8 bits what it multiplies with Q4_1"
