"""How fast LoRA training is, compared with PEFT on transformers: same examples, model, adapters and labels, in one run.

Both compute logits at labels only; `transformers` pads the batch, ours packs it and reads a common beginning once.
Prints tokens per second of the examples as they stand in the dataset, and the ratio.

Usage: python benchmarks/training.py
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as functional
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from agent0es.agents.student import opening, render
from agent0es.configuration import Configuration
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.gguf_file import GgufFile
from agent0es.models.weights import base_model_dir, find_weights
from agent0es.taskdomains import load_task_domain
from agent0es.training.examples import Example, tokenise
from agent0es.training.network import Network

BATCH, BATCHES, ROUNDS = 8, 4, 3


def examples(base: Path) -> list[Example]:
    """Rows as practice makes them, of as many families."""
    weights, domain = find_weights(Configuration().models.student.name), load_task_domain("math")
    template = ChatTemplate.of(GgufFile.open(weights.path))
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    rows = []
    for demonstration in domain.mixed_demonstrations(BATCH * BATCHES):
        prompt = template.render(opening(domain.system, (), demonstration.description).messages)
        action, observation, answer = render(demonstration).split("\n")
        segments = [(f"{action}\n", True), (f"{observation}\n", False), (answer + template.end_of_turn, True)]
        rows.append(tokenise(tokenizer, prompt, segments))
    return (rows * BATCH * BATCHES)[: BATCH * BATCHES]


def main() -> None:
    settings = Configuration().training
    with tempfile.TemporaryDirectory() as folder:
        base = base_model_dir(Path(folder))
        rows = examples(base)
        batches = [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]
        network = Network(
            base, settings.target_modules, settings.rank, settings.alpha, 0.0, frozen_share=settings.frozen_share
        )
        plain = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="sdpa")
    lora = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules=list(settings.target_modules),
        layers_to_transform=list(range(network.first_adapted, network.layers)),
    )
    peft: Any = get_peft_model(plain, lora)

    def ours(batch: list[Example]) -> torch.Tensor:
        return -network.log_probabilities(batch).sum()

    def theirs(batch: list[Example]) -> torch.Tensor:
        longest = max(len(row.ids) for row in batch)
        ids, mask = torch.zeros(len(batch), longest, dtype=torch.long), torch.zeros(len(batch), longest)
        labels = torch.full((len(batch), longest), -100)
        for i, row in enumerate(batch):
            ids[i, : len(row.ids)] = torch.tensor(row.ids)
            mask[i, : len(row.ids)] = 1
            for j, trainable in enumerate(row.trainable):
                labels[i, j] = row.ids[j] if trainable else -100
        hidden = peft.base_model.model.model(input_ids=ids, attention_mask=mask).last_hidden_state
        kept = labels[:, 1:] != -100
        logits = peft.base_model.model.lm_head(hidden[:, :-1][kept])
        return functional.cross_entropy(logits, labels[:, 1:][kept], reduction="sum")

    def rate(loss: Callable[[list[Example]], torch.Tensor]) -> float:
        began = time.perf_counter()
        for batch in batches:
            loss(batch).backward()  # type: ignore[no-untyped-call]
        return sum(len(row.ids) for row in rows) / (time.perf_counter() - began)

    assert abs(ours(batches[0]).item() - theirs(batches[0]).item()) < 0.01 * theirs(batches[0]).item()
    measured = [(rate(ours), rate(theirs)) for _ in range(ROUNDS)]
    mine, peer = max(m for m, _ in measured), max(p for _, p in measured)
    print(f"agent0es {mine:.0f} tokens/s, peft on transformers {peer:.0f} tokens/s, ratio {mine / peer:.2f}")


if __name__ == "__main__":
    main()
