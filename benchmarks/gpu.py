"""Training and serving on a GPU: a model of a real one's shape, with weights made at random, is trained by the engine
`hf` in bf16 and in 4 bits, and answers many requests at once with the adapter that was trained. Prints tokens a
second and the most memory that the GPU gave. Random weights take as long as trained ones, and say nothing.

Without a GPU it says so and ends. It needs torch for CUDA and this package, for 4 bits bitsandbytes too, and room on
the disk: 15 GB for 7b, 3 GB for 1.5b.

Usage: python benchmarks/gpu.py [--shape 7b|1.5b|tiny] [--tokens N] [--batch N] [--requests N] [--cpu]

`--cpu` runs it on the CPU, with `--shape tiny` to see that it works.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SHAPES = {
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4},
    "1.5b": {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12},
    "7b": {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28},
}
"""Of Qwen2.5."""
KEY_HEADS = {"tiny": 2, "1.5b": 2, "7b": 4}
VOCABULARY = {"tiny": 512, "1.5b": 151_936, "7b": 152_064}
CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
GB = 1e9
STEPS = 8


def write_model(folder: Path, shape: str, device: str) -> int:
    """A Hugging Face folder of this shape: random weights in bf16, a tokenizer of bytes, a chat template. Returns the
    number of parameters."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import Qwen2Config, Qwen2ForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()

    config = Qwen2Config(
        vocab_size=VOCABULARY[shape],
        num_key_value_heads=KEY_HEADS[shape],
        tie_word_embeddings=shape != "7b",
        max_position_embeddings=8192,
        bos_token_id=1,
        eos_token_id=2,
        **SHAPES[shape],
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        model = Qwen2ForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(folder, max_shard_size="4GB")
    parameters = sum(value.numel() for value in model.parameters())
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({token: place for place, token in enumerate([*CONTROL, *letters])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in CONTROL])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": CONTROL[2], "pad_token": CONTROL[0]}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return parameters


def rows(count: int, tokens: int) -> Iterator[dict[str, Any]]:
    """Of about so many letters, each a token; the last quarter is learnt."""
    dice = random.Random(0)
    for _ in range(count):
        length = tokens - dice.randrange(tokens // 4)
        read, learnt = ("".join(dice.choices("abcdefgh ", k=part)) for part in (length * 3 // 4, length // 4))
        yield {"messages": [{"role": "user", "content": read}], "segments": [[learnt, True]]}


def trained(folder: Path, work: Path, batch: int, tokens: int, changes: dict[str, Any]) -> Path:
    """Train by the port, as a run does, in the trainer's own process. Returns the adapter's folder."""
    from agent0es.configuration import TrainingSettings
    from agent0es.models.base import Weights
    from agent0es.training.base import TrainingJob
    from agent0es.training.hf import HuggingFace
    from agent0es.training.trainer import ProcessTrainer

    name = str(changes.get("peft_method", "lora")) + (" checkpointed" if "gradient_checkpointing" in changes else "")
    dataset = work / "rows.jsonl"
    dataset.write_text("\n".join(map(json.dumps, rows(STEPS * batch, tokens))))
    settings = TrainingSettings(
        engine="hf",
        rank=16,
        alpha=32.0,
        frozen_share=0.0,
        epochs=1,
        batch_size=batch,
        learning_rate=1e-4,
        warmup_steps=0,
        max_tokens=2 * tokens,
        **changes,
    )
    trainer, base = ProcessTrainer(HuggingFace(), work), Weights("random", folder, "-")
    if why := trainer.why_not(base, settings):
        print(f"  {name}: {why}")
        return work
    most = Watched()
    job = TrainingJob(base, dataset, work / name, 1, settings)
    seen = asyncio.run(most.during(trainer.train(job, lambda said: None)))
    print(
        f"  {name:18} {seen.precision}: {seen.tokens / seen.phases['train']:8.0f} tokens/s{most.said}, "
        f"loss {seen.loss[0]:.3f} -> {seen.loss[-1]:.3f}, load {seen.phases['load']:.0f} s"
    )
    return job.output


class Watched:
    """The most memory of all GPUs while something is done, beyond what was taken before; 0 without one."""

    def __init__(self) -> None:
        self._before = _taken()
        self.peak = 0

    @property
    def said(self) -> str:
        """In words; nothing of a CPU's, which was not looked at."""
        return f", peak {self.peak / GB:.2f} GB" if self.peak else ""

    async def during(self, work: Any) -> Any:
        """What the work gives."""
        looking = asyncio.create_task(self._look())
        try:
            return await work
        finally:
            looking.cancel()

    async def _look(self) -> None:
        while True:
            self.peak = max(self.peak, _taken() - self._before)
            await asyncio.sleep(0.05)


def _taken() -> int:
    import torch

    if not torch.cuda.is_available():
        return 0
    return sum(total - free for free, total in map(torch.cuda.mem_get_info, range(torch.cuda.device_count())))


async def served(folder: Path, adapter: Path, requests: int, options: dict[str, Any]) -> None:
    """Ask the base and the adapter, as a run does, in the engine's own process."""
    from agent0es.models.artifacts import Artifacts
    from agent0es.models.base import Deployment, GenerationRequest, Message
    from agent0es.models.transformers import TransformersBackend

    most = Watched()
    model = TransformersBackend.create(str(folder), cache=folder.parent, max_batch=requests, **options)
    try:
        await model.deploy(Deployment("student-1", Artifacts.measure(adapter)))
        for name in (None, "student-1"):
            asked = [
                GenerationRequest((Message("user", f"{n}: say something."),), 64, temperature=1.0, seed=n)
                for n in range(requests)
            ]
            await model.generate(asked[:1], name)
            begin = time.perf_counter()
            answers = await most.during(model.generate(asked, name))
            seconds = time.perf_counter() - begin
            written = sum(answer.usage.written for answer in answers)
            print(
                f"  {name or 'the base':12} {json.dumps(options)}: {requests} requests, {written / seconds:7.0f} "
                f"tokens/s written{most.said}"
            )
    finally:
        await model.close()


def main(shape: str, tokens: int, batch: int, requests: int, on_cpu: bool) -> None:
    import torch

    if on_cpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    elif not torch.cuda.is_available():
        print("there is no GPU that torch sees, so nothing is measured (--cpu --shape tiny shows that this works)")
        sys.exit(0)
    device = "cpu" if on_cpu else "cuda"
    what = "CPU" if on_cpu else f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        begin = time.perf_counter()
        parameters = write_model(work / "model", shape, device)
        if not on_cpu:
            torch.cuda.empty_cache()
        print(f"{what}, torch {torch.__version__}")
        print(f"{shape}: {parameters:,} parameters, made in {time.perf_counter() - begin:.0f} s")
        print(f"training, {STEPS} steps of {batch} rows of up to {tokens} tokens, rank 16 on every linear layer")
        adapter = trained(work / "model", work, batch, tokens, {})
        trained(work / "model", work, batch, tokens, {"gradient_checkpointing": True})
        sparing = {"peft_method": "qlora", "optimizer": "adamw_8bit", "gradient_checkpointing": True}
        trained(work / "model", work, batch, tokens, sparing)
        print("serving, 64 tokens a request")
        asyncio.run(served(work / "model", adapter, requests, {}))
        if find_spec("bitsandbytes") is not None:
            asyncio.run(served(work / "model", adapter, requests, {"quantize": "4bit"}))
        print(f"{time.perf_counter() - begin:.0f} s in all")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="7b")
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--cpu", action="store_true")
    given = parser.parse_args()
    main(given.shape, given.tokens, given.batch, given.requests, given.cpu)
