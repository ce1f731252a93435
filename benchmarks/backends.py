"""What a backend keeps of the speed of its bare engine, in one run on one machine.

For 1, 8 and 32 requests at once, greedy, prints written tokens a second of the backend and of the library that it is
built on, asked by itself with the same prompts, and the ratio. The two take turns, and each counts with its best round.
What is written until a model is loaded, and the first answer, is not counted.

Usage: python benchmarks/backends.py [--backends NAME,…] [--model NAME] [--tokens N] [--rounds N] [--cache DIR] [--json]
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the backend has it; before torch is imported

from agent0es.models import GenerationRequest, Message
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.factory import create_backend
from agent0es.models.weights import base_model_dir, find_weights

AT_ONCE = (1, 8, 32)


class OpenVino:
    """`openvino_genai.ContinuousBatchingPipeline` on the file that the backend loads."""

    backend = "openvino"

    def __init__(self, model: str, cache: Path) -> None:
        import openvino_genai

        weights = find_weights(model, cache)
        served = cache / f"{weights.sha256[:16]}-q8_0.gguf"  # where the backend has written one
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.max_num_seqs, scheduler.max_num_batched_tokens = 64, 1024
        scheduler.num_kv_blocks = 2048
        path = served if served.exists() else weights.path
        self._genai = openvino_genai
        self._pipeline = openvino_genai.ContinuousBatchingPipeline(str(path), scheduler, "CPU", {})

    def write(self, prompts: Sequence[str], tokens: int) -> int:
        """Answers all; how many tokens it wrote."""
        config = self._genai.GenerationConfig(max_new_tokens=tokens, apply_chat_template=False, logprobs=1)
        encode = self._pipeline.get_tokenizer().encode
        handles = [
            self._pipeline.add_request(number, encode(prompt, add_special_tokens=False).input_ids, config)
            for number, prompt in enumerate(prompts)
        ]
        while self._pipeline.has_non_finished_requests():
            self._pipeline.step()
        return sum(len(output.generated_ids) for handle in handles for output in handle.read_all())


class Transformers:
    """`model.generate` of transformers, the prompts filled up at the left to one length."""

    backend = "transformers"

    def __init__(self, model: str, cache: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        path = Path(model)
        folder = path if path.is_dir() else base_model_dir(cache, find_weights(model, cache).path)
        self._torch = torch
        self._tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def write(self, prompts: Sequence[str], tokens: int) -> int:
        """Answers all; how many tokens it wrote, ends of turns included."""
        read = self._tokenizer(list(prompts), return_tensors="pt", padding=True, add_special_tokens=False)
        with self._torch.inference_mode():
            whole = self._model.generate(**read, max_new_tokens=tokens, do_sample=False)
        written = whole[:, read.input_ids.shape[1] :]
        end = self._model.generation_config.eos_token_id
        ended = (written == end).cumsum(1)
        return int((ended == 0).sum() + (ended.amax(1) > 0).sum())


PEERS: Mapping[str, Callable[[str, Path], Any]] = {peer.backend: peer for peer in (OpenVino, Transformers)}


def requests(count: int, tokens: int) -> list[GenerationRequest]:
    """Questions that are answered at length."""
    asked = (f"Write a long story about a journey that takes {n + 2} days." for n in range(count))
    return [GenerationRequest((Message("user", question),), tokens) for question in asked]


async def measure(name: str, model: str, cache: Path, tokens: int, rounds: int) -> list[dict[str, Any]]:
    """A row for each number of requests."""
    backend = create_backend(name, model, cache=cache)
    template: ChatTemplate = backend.template  # type: ignore[attr-defined]  # both have one
    try:
        await backend.generate(requests(1, 4))
        bare = PEERS[name](model, cache)
        rows = []
        for count in AT_ONCE:
            asked = requests(count, tokens)
            prompts = [template.render(request.messages) for request in asked]
            ours, bares = [], []
            for _ in range(rounds):
                begin = time.perf_counter()
                written = sum(answer.usage.written for answer in await backend.generate(asked))
                ours.append(written / (time.perf_counter() - begin))
                begin = time.perf_counter()
                written = bare.write(prompts, tokens)
                bares.append(written / (time.perf_counter() - begin))
            rows.append(
                {
                    "backend": name,
                    "requests": count,
                    "tokens_per_second": round(max(ours), 1),
                    "bare": round(max(bares), 1),
                    "ratio": round(max(ours) / max(bares), 2),
                }
            )
        return rows
    finally:
        await backend.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backends", default=",".join(PEERS))
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = given.cache or Path(folder)
        for name in given.backends.split(","):
            for row in asyncio.run(measure(name, given.model, cache, given.tokens, given.rounds)):
                if given.json:
                    print(json.dumps(row), flush=True)
                else:
                    asked = f"{row['backend']:12} {row['requests']:3} requests"
                    speeds = f"{row['tokens_per_second']:8} tokens/s, bare {row['bare']:8}, ratio {row['ratio']}"
                    print(asked, speeds, flush=True)


if __name__ == "__main__":
    main()
