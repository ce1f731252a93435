"""The libraries that the engine backends are built on, asked by themselves, each beside its backend.

Each function opens both for a model, and gives them as a `Pair`.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the backends have it; before a library is imported

from agent0es.models.base import GenerationRequest, Message, ModelBackend
from agent0es.models.engine import EngineSettings
from agent0es.models.engine_process import KV_BLOCK
from agent0es.models.factory import create_backend
from agent0es.models.weights import base_model_dir, find_weights

Ask = Callable[[Sequence[str], int], Awaitable[int]]
"""(questions, most tokens of an answer) to how many tokens were written. All questions are asked at once, greedily."""


def turns(question: str) -> tuple[Message, ...]:
    """The chat. Without a first turn templates have one of their own, which takes longer to read than the question."""
    return (Message("system", "Go on."), Message("user", question))


@dataclass(frozen=True)
class Pair:
    """A backend, and what it is built on."""

    ours: Ask
    bare: Ask
    plain: Ask | None = None
    """The bare client again, asking for text alone: neither a stream nor log-probabilities."""


def asked(backend: ModelBackend) -> Ask:
    """The backend through its port."""

    async def ask(questions: Sequence[str], tokens: int) -> int:
        requests = [GenerationRequest(turns(question), tokens) for question in questions]
        return sum(answer.usage.written for answer in await backend.generate(requests))

    return ask


@asynccontextmanager
async def beside(name: str, model: str, cache: Path, load: Callable[[], Callable[[list[str], int], int]]) -> Any:
    """The backend, loaded, and then what `load` gives: a function of rendered prompts."""
    backend: Any = create_backend(name, model, cache=cache)
    try:
        await asked(backend)(["Hi."], 1)
        write = load()

        async def bare(questions: Sequence[str], tokens: int) -> int:
            return write([backend.template.render(turns(question)) for question in questions], tokens)

        yield Pair(asked(backend), bare)
    finally:
        await backend.close()


@asynccontextmanager
async def openvino(model: str, cache: Path) -> AsyncIterator[Pair]:
    """Beside `openvino_genai.ContinuousBatchingPipeline` on the file that the backend loads, set up in the same way,
    and giving log-probabilities too."""

    def load() -> Callable[[list[str], int], int]:
        import openvino_genai

        weights, settings = find_weights(model, cache), EngineSettings()
        served = cache / f"{weights.sha256[:16]}-q8_0.gguf"  # where the backend has written one
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.max_num_seqs = settings.max_batch
        scheduler.max_num_batched_tokens = settings.max_batched_tokens
        scheduler.num_kv_blocks = -(-settings.cache_tokens // KV_BLOCK)
        scheduler.enable_prefix_caching = settings.prefix_cache
        path = served if served.exists() else weights.path
        pipeline = openvino_genai.ContinuousBatchingPipeline(str(path), scheduler, "CPU", {})
        encode = pipeline.get_tokenizer().encode

        def write(prompts: list[str], tokens: int) -> int:
            config = openvino_genai.GenerationConfig(max_new_tokens=tokens, apply_chat_template=False, logprobs=1)
            handles = [
                pipeline.add_request(number, encode(prompt, add_special_tokens=False).input_ids, config)
                for number, prompt in enumerate(prompts)
            ]
            while pipeline.has_non_finished_requests():
                pipeline.step()
            return sum(len(output.generated_ids) for handle in handles for output in handle.read_all())

        return write

    async with beside("openvino", model, cache, load) as pair:
        yield pair


@asynccontextmanager
async def transformers(model: str, cache: Path) -> AsyncIterator[Pair]:
    """Beside `model.generate`, the prompts filled up at the left to one length, without log-probabilities."""

    def load() -> Callable[[list[str], int], int]:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        folder = base_model_dir(cache, find_weights(model, cache).path)
        tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        bare: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

        def write(prompts: list[str], tokens: int) -> int:
            read = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
            with torch.inference_mode():
                whole = bare.generate(**read, max_new_tokens=tokens, do_sample=False)
            written = whole[:, read.input_ids.shape[1] :]
            ended = (written == bare.generation_config.eos_token_id).cumsum(1)
            return int((ended == 0).sum() + (ended.amax(1) > 0).sum())

        return write

    async with beside("transformers", model, cache, load) as pair:
        yield pair


@asynccontextmanager
async def llama_cpp(model: str, cache: Path) -> AsyncIterator[Pair]:
    """Beside `llama_cpp.Llama`, which answers one request after another, without log-probabilities: with them it sorts
    the vocabulary in Python for each token."""

    def load() -> Callable[[list[str], int], int]:
        from llama_cpp import Llama

        threads = len(os.sched_getaffinity(0))
        bare: Any = Llama(
            str(find_weights(model, cache).path), n_ctx=2048, n_threads=threads, n_threads_batch=threads, verbose=False
        )

        def write(prompts: list[str], tokens: int) -> int:
            return sum(
                bare.create_completion(
                    bare.tokenize(prompt.encode(), add_bos=False, special=True), max_tokens=tokens, temperature=0.0
                )["usage"]["completion_tokens"]
                for prompt in prompts
            )

        return write

    async with beside("llama-cpp", model, cache, load) as pair:
        yield pair
