"""The trainer: what happens in the process that `packed.PackedTrainer` starts.

Writes one JSON object a line to standard output: progress per step, and `{"done": {...}}` at the end. What it leaves:
an adapter in PEFT's format, and the same as GGUF, merged and beside its base, as `models/artifacts.py` names them.
"""

import json
import math
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from agent0es.crash_points import reach
from agent0es.models.artifacts import CONFIG, PEFT, WEIGHTS, Artifacts
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.gguf_file import GgufFile
from agent0es.models.weights import base_model_dir
from agent0es.training.examples import Example, read_rows, tokenise
from agent0es.training.export.gguf import derive
from agent0es.training.network import Network, pack

MAX_GRADIENT_NORM = 1.0
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
WORTH_IT = 1.3
"""bf16 is taken where it is so many times as fast: it is 2 times with AVX512_BF16, and slower than fp32 without."""


class Phases:
    """Seconds of each phase, for the final report."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def end(self, phase: str) -> None:
        now = time.perf_counter()
        self.seconds[phase] = round(now - self._since, 2)
        self._since = now


def main(file: Path) -> None:
    """Train, save, merge, report: the job of a JSON file, as `packed.described` makes it."""
    job = json.loads(file.read_text())
    phases = Phases()
    torch.manual_seed(job["seed"])
    if job["threads"]:
        torch.set_num_threads(job["threads"])
    base_gguf, output = Path(job["base"]), Path(job["output"])
    base_dir = base_model_dir(Path(job["cache"]), base_gguf)
    template = ChatTemplate.of(GgufFile.open(base_gguf))
    examples = _examples(Tokenizer.from_file(str(base_dir / "tokenizer.json")), template, job)
    precision = faster_precision() if job["precision"] == "auto" else job["precision"]
    network = Network(
        base_dir,
        job["target_modules"],
        rank=job["rank"],
        alpha=job["alpha"],
        dropout=job["dropout"],
        precision=PRECISIONS[precision],
        frozen_share=job["frozen_share"],
    )
    phases.end("load")
    losses, tokens = train(network, examples, job)
    phases.end("train")
    if output.exists():
        shutil.rmtree(output)  # what a trainer that was killed left, half-written files too
    output.mkdir(parents=True)
    _save_adapter(network, output, base_gguf, job)
    reach("adapter.written", with_parent=True)
    derive(GgufFile.open(base_gguf), Artifacts(output, {}))
    files = dict(Artifacts.measure(output).files)
    phases.end("merge")
    done = {
        "steps": len(losses),
        "loss": losses,
        "examples": len(examples),
        "tokens": tokens,
        "files": files,
        "phases": phases.seconds,
        "precision": precision,
    }
    _say({"done": done})


def train(network: Network, examples: list[Example], job: dict[str, Any]) -> tuple[list[float], int]:
    """AdamW on the adapters. Returns the mean loss per label of each step, and the tokens that were read."""
    optimizer = torch.optim.AdamW(network.parameters, lr=job["learning_rate"], weight_decay=0.0)
    per_step = job["batch_size"] * job["gradient_accumulation"]
    steps = math.ceil(len(examples) / per_step) * job["epochs"]
    losses: list[float] = []
    tokens = 0
    begin = time.perf_counter()
    for chosen in _batches(examples, per_step, job["epochs"], job["seed"]):
        packs = [pack(chosen[at : at + job["batch_size"]]) for at in range(0, len(chosen), job["batch_size"])]
        labels = sum(len(batch.labels) for batch in packs)
        total = 0.0
        for batch in packs:
            # The mean over all labels of the step, however they fall into its batches.
            loss = network.loss(batch) / labels
            loss.backward()
            total += loss.item()
            tokens += batch.whole
        for group in optimizer.param_groups:
            group["lr"] = job["learning_rate"] * rate(len(losses), steps, job["warmup_steps"])
        norm = torch.nn.utils.clip_grad_norm_(network.parameters, MAX_GRADIENT_NORM)
        if not (math.isfinite(total) and torch.isfinite(norm)):
            raise SystemExit(
                f"at step {len(losses) + 1} of {steps} the loss or its gradient was not a finite number: the training "
                "diverged; lower training.learning_rate"
            )
        optimizer.step()
        optimizer.zero_grad()
        losses.append(total)
        elapsed = time.perf_counter() - begin
        _say(
            {
                "step": len(losses),
                "steps": steps,
                "loss": round(total, 5),
                "tokens_per_second": round(tokens / elapsed, 1),
                "eta_seconds": round(elapsed / len(losses) * (steps - len(losses)), 1),
            }
        )
    return losses, tokens


def faster_precision() -> str:
    """Time a multiplication of the embedded model's size in both precisions, in CPU time of one thread: whatever else
    runs on the machine must not decide."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds = {}
    for name, precision in PRECISIONS.items():
        x, weight = torch.ones(512, 576, dtype=precision), torch.ones(576, 1536, dtype=precision)
        rounds = []
        for _ in range(10):
            begin = time.thread_time()
            x @ weight
            rounds.append(time.thread_time() - begin)
        seconds[name] = min(rounds)
    torch.set_num_threads(threads)
    return "bf16" if seconds["fp32"] > WORTH_IT * seconds["bf16"] else "fp32"


def rate(step: int, steps: int, warmup: int) -> float:
    """Share of the learning rate at a step: straight up over the warm-up, then straight down to zero."""
    return (step + 1) / (warmup + 1) if step < warmup else 1 - (step - warmup) / max(1, steps - warmup)


def _batches(examples: list[Example], size: int, epochs: int, seed: int) -> Iterator[list[Example]]:
    order = random.Random(seed)
    for _ in range(epochs):
        shuffled = order.sample(examples, len(examples))
        yield from (shuffled[at : at + size] for at in range(0, len(shuffled), size))


def _examples(tokenizer: Tokenizer, template: ChatTemplate, job: dict[str, Any]) -> list[Example]:
    """The dataset as tokens, without what is too long or has nothing to learn."""
    examples = [tokenise(tokenizer, *row) for row in read_rows(Path(job["dataset"]), template)]
    fit = [e for e in examples if 1 < len(e.ids) <= job["max_tokens"] and any(e.trainable[1:])]
    if not fit:
        raise SystemExit(
            f"{job['dataset']}: none of {len(examples)} examples can be used: too long, or nothing to learn in them"
        )
    return fit


def _save_adapter(network: Network, output: Path, base_gguf: Path, job: dict[str, Any]) -> None:
    """Write PEFT's files, in full or not at all."""
    tensors = {}
    for path, (a, b) in network.adapters.items():
        tensors[f"base_model.model.{path}.lora_A.weight"] = a.detach()
        tensors[f"base_model.model.{path}.lora_B.weight"] = b.detach()
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_gguf.name,
        "r": job["rank"],
        "lora_alpha": job["alpha"],
        "lora_dropout": job["dropout"],
        "target_modules": sorted(job["target_modules"]),
        "layers_to_transform": list(range(network.first_adapted, network.layers)),
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }
    beside = Path(tempfile.mkdtemp(dir=output, prefix=".adapter-"))
    unfinished = beside / PEFT
    try:
        unfinished.mkdir()
        save_file(tensors, beside / WEIGHTS, metadata={"format": "pt"})
        (beside / CONFIG).write_text(json.dumps(config, indent=1))
        for file in unfinished.iterdir():
            with file.open("rb") as written:
                os.fsync(written.fileno())
        unfinished.rename(output / PEFT)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)
