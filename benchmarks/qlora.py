"""What QLoRA saves: a model trained by the engine `hf` in bf16 and in 4 bits, each in a process of its own, then served
in 4 bits with the adapter that was trained; and from the bytes that were measured, what fits into 8 GB for 7 billion
parameters.

Peak memory is VmHWM, which counts the pages of the files that are read, too; `own` is the most that was the process's
alone (RssAnon, looked at twenty times a second). Needs `pip install '.[quantized]'`. Memory: three times the weights.

Usage: python benchmarks/qlora.py [MODEL] [--cache FOLDER] [--rows N] [--tokens N] [--steps N]

MODEL is the name of a published model or the path of a GGUF. Rows are of this project's own pages; the last quarter of
each is learnt.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from agent0es.configuration import TrainingSettings
from agent0es.models.artifacts import Artifacts
from agent0es.models.weights import base_model_dir, find_weights
from agent0es.training.base import TrainingJob
from agent0es.training.trainer import described

SETTINGS = TrainingSettings(
    engine="hf",
    rank=8,
    alpha=16.0,
    frozen_share=0.0,
    precision="bf16",
    batch_size=2,
    learning_rate=2e-4,
    warmup_steps=0,
    gradient_checkpointing=True,
    max_tokens=10_000,
)
KINDS = {"lora": {}, "qlora": {"peft_method": "qlora", "optimizer": "adamw_8bit"}}
GB = 1e9
CARD = 8 * 2**30
"""Bytes of a card of 8 GB."""
CONTEXT = 0.5 * GB
"""What CUDA's own context and libraries take of a card. Not measured here."""
SEVEN = {"layers": 28, "width": 3584, "frozen": 6_525_000_000, "embeddings": 2 * 152_064 * 3584, "vocabulary": 152_064}
"""Qwen2.5-7B: matrices of its blocks, and the two of its vocabulary, which stay in bf16."""


def rows(folder: Path, count: int, tokens: int) -> list[tuple[str, str]]:
    """Text that is read, and the quarter behind it that is learnt."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    pages = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))
    ids = tokenizer.encode("\n".join(page.read_text() for page in pages), add_special_tokens=False).ids
    cuts = [ids[at * tokens : (at + 1) * tokens] for at in range(count)]
    return [(tokenizer.decode(cut[: tokens * 3 // 4]), tokenizer.decode(cut[tokens * 3 // 4 :])) for cut in cuts]


class Memory:
    """Most memory of this process while it is watched."""

    def __init__(self) -> None:
        self.own = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.own = max(self.own, _status("RssAnon"))
            time.sleep(0.05)

    @property
    def peak(self) -> int:
        return _status("VmHWM")


def _status(name: str) -> int:
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024


def train(job: Path) -> dict[str, Any]:
    """In a process of its own: what the trainer's does."""
    from agent0es.training.hf import HuggingFace
    from agent0es.training.process import main

    memory, derive = Memory(), HuggingFace.derive
    seen: dict[str, Any] = {}

    def after_training(self: HuggingFace, base: Path, artifacts: Artifacts) -> None:
        seen.update(peak=memory.peak, own=memory.own)
        derive(self, base, artifacts)

    HuggingFace.derive = after_training  # type: ignore[method-assign]
    main(job)
    return {**seen, "merging": memory.peak}


def serve(folder: Path, adapter: Path, dataset: Path, quantize: str | None) -> dict[str, Any]:
    """In a process of its own: the loss of the rows, without and with the adapter, as the backend computes it."""
    import torch

    from agent0es.models.transformers.adapters import Adapters
    from agent0es.models.transformers.loading import load
    from agent0es.models.transformers.settings import Settings

    memory = Memory()
    loaded = load(folder, Settings(quantize=quantize, dtype="bfloat16"), "")  # type: ignore[arg-type]
    adapters = Adapters(loaded.model)
    lines = [json.loads(line) for line in dataset.read_text().splitlines()]

    def loss(names: list[str | None]) -> float:
        total = 0.0
        for line in lines:
            read, learnt = (loaded.tokenizer(text).input_ids for text in (line["prompt"], line["segments"][0][0]))
            ids = torch.tensor([read + learnt], device=loaded.device)
            with torch.inference_mode():
                out = adapters.model(input_ids=ids, **adapters.keywords(names)).logits[0, len(read) - 1 : -1].float()
            total += torch.nn.functional.cross_entropy(out, ids[0, len(read) :]).item()
        return total / len(lines)

    before = loss([None])
    adapters.deploy("student-1", Artifacts.measure(adapter))
    return {"without": before, "with": loss(["student-1"]), "peak": memory.peak, "own": memory.own}


def sizes(folder: Path, tokens: int) -> dict[str, float]:
    """In a process of its own: bytes a weight in 4 bits, and of what is kept for the way back bytes a token, a layer
    and a number of its width. Measured on two layers with the proportions of Qwen2.5-7B and an eighth of its width,
    which are written into the folder: what is kept beside layers counts for too much, so these are upper bounds."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from agent0es.training.examples import Example
    from agent0es.training.peft_policy import PeftPolicy

    Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=512,
            hidden_size=448,
            intermediate_size=2368,
            num_hidden_layers=2,
            num_attention_heads=28,
            num_key_value_heads=4,
        )
    ).save_pretrained(folder)
    found: dict[str, float] = {}
    for name, on in (("checkpointed", True), ("kept", False)):
        settings = SETTINGS.model_copy(update={"peft_method": "qlora", "gradient_checkpointing": on})
        policy = PeftPolicy(folder, settings)
        four = [
            one
            for one in policy.model.modules()
            if type(one).__name__ == "Linear4bit" and hasattr(one, "compute_dtype")
        ]
        weights = sum(one.in_features * one.out_features for one in four)
        stored = sum(_stored(one.weight) for one in four)
        kept: dict[int, int] = {}
        frozen = {value.data_ptr() for value in policy.model.parameters()}

        def keep(tensor: Any, kept: dict[int, int] = kept, frozen: set[int] = frozen) -> Any:
            if tensor.data_ptr() not in frozen:
                kept[tensor.data_ptr()] = max(kept.get(tensor.data_ptr(), 0), tensor.untyped_storage().nbytes())
            return tensor

        example = Example(tuple(range(100, 100 + tokens)), (*(False,) * (tokens - 1), True))
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            policy.log_probabilities([example])
        config = policy.model.config
        found |= {
            "weight": stored / weights,
            name: sum(kept.values()) / tokens / config.num_hidden_layers / config.hidden_size,
        }
    return found


def _stored(weight: Any) -> int:
    """Bytes of a matrix in 4 bits: its values, their scales in 8 bits, and what those are scaled by."""
    state = weight.quant_state
    inner = [] if state.state2 is None else [state.state2.absmax, state.state2.code]
    return sum(one.numel() * one.element_size() for one in (weight, state.absmax, state.code, *inner))


def fits(measured: dict[str, float], bits: str, tokens: int, labels: int) -> dict[str, float]:
    """GB that training takes of a card: weights; an adapter of rank 8 on q and v, its gradient and AdamW's averages in
    8 bits; what is kept for the way back with checkpointing, and one layer's of it without; logits at the labels in
    bf16, in fp32, and their gradients."""
    layers, width = SEVEN["layers"], SEVEN["width"]
    adapted = layers * 8 * ((width + width) + (width + 512))
    parts = {
        "weights": SEVEN["frozen"] * (measured["weight"] if bits == "nf4" else 2.0) + SEVEN["embeddings"] * 2,
        "adapter": adapted * (4 + 4 + 2),
        "activations": tokens * width * (measured["checkpointed"] * layers + measured["kept"]),
        "logits": labels * SEVEN["vocabulary"] * (2 + 4 + 4 + 2),
    }
    return {name: value / GB for name, value in parts.items()}


def part(*arguments: str) -> list[dict[str, Any]]:
    """What a part of this script says, in a process of its own."""
    said = subprocess.run(
        [sys.executable, __file__, "--part", *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    return [json.loads(line) for line in said.stdout.splitlines()]


def main(model: str, cache: Path, count: int, tokens: int, steps: int) -> None:
    weights = find_weights(model, cache)
    folder = base_model_dir(cache, weights.path)
    with tempfile.TemporaryDirectory() as temporary:
        dataset = Path(temporary) / "rows.jsonl"
        lines = [{"prompt": read, "segments": [[learnt, True]]} for read, learnt in rows(folder, count, tokens)]
        dataset.write_text("\n".join(map(json.dumps, lines)))
        print(f"{weights.name}: {count} rows of {tokens} tokens, {steps} steps of {SETTINGS.batch_size}, rank 8")
        for kind, changes in KINDS.items():
            epochs = max(1, steps * SETTINGS.batch_size // count)
            settings = SETTINGS.model_copy(update={**changes, "epochs": epochs})
            output = Path(temporary) / kind
            job = Path(temporary) / f"{kind}.json"
            described_job = described(TrainingJob(weights, dataset, output, 1, settings), cache)
            job.write_text(json.dumps(described_job))
            *_, done, memory = part("train", str(job))
            report, seconds = done["done"], done["done"]["phases"]
            print(
                f"  {kind:6} peak {memory['peak'] / GB:5.2f} GB, own {memory['own'] / GB:5.2f} GB (merging "
                f"{memory['merging'] / GB:.2f}); loss "
                f"{report['loss'][0]:.3f} -> {report['loss'][-1]:.3f}; "
                f"{report['tokens'] / seconds['train']:.1f} tokens/s, load {seconds['load']:.0f} s"
            )
            for quantize in ("none", "4bit")[: 1 + (kind == "qlora")]:
                [served] = part("serve", str(folder), str(output), str(dataset), quantize)
                print(
                    f"    served {quantize}: loss {served['without']:.3f} without, {served['with']:.3f} with it; "
                    f"peak {served['peak'] / GB:.2f} GB, own {served['own'] / GB:.2f} GB"
                )
    with tempfile.TemporaryDirectory() as temporary:
        [measured] = part("sizes", temporary, "256")
    print(
        f"  {measured['weight']:.4f} bytes a weight in 4 bits; kept for the way back, bytes a token, a layer and a "
        f"number of its width: {measured['kept']:.1f}, with checkpointing {measured['checkpointed']:.1f}"
    )
    print("Qwen2.5-7B on a card of 8 GB, computed (GB):")
    for bits in ("nf4", "bf16"):
        for length, labels in ((512, 128), (1024, 256), (2048, 512), (4096, 512)):
            needed = fits(measured, bits, length, labels)
            whole = sum(needed.values()) + CONTEXT / GB
            shown = ", ".join(f"{name} {value:.2f}" for name, value in needed.items())
            print(
                f"  {bits}, {length} tokens, {labels} learnt: {shown}, CUDA {CONTEXT / GB:.1f}: {whole:.2f} of "
                f"{CARD / GB:.2f}{'' if whole < CARD / GB else ', too much'}"
            )


def run_part(name: str, *arguments: str) -> dict[str, Any]:
    match name:
        case "train":
            return train(Path(arguments[0]))
        case "serve":
            folder, adapter, dataset, quantize = arguments
            return serve(Path(folder), Path(adapter), Path(dataset), None if quantize == "none" else quantize)
        case _:
            return sizes(Path(arguments[0]), int(arguments[1]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="smollm2-135m-instruct")
    parser.add_argument("--cache", type=Path, default=Path("store/base"))
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        print(json.dumps(run_part(*given.part)), flush=True)
    else:
        main(given.model, given.cache, given.rows, given.tokens, given.steps)
