"""Adapters that nobody trained."""

from pathlib import Path

import torch

from agent0es.models.gguf_file import GgufFile
from agent0es.training.export.adapter import Addition
from agent0es.training.export.gguf import write_lora


def write_random_adapter(base: GgufFile, path: Path, seed: int = 1) -> None:
    """As LoRA GGUF; large enough to change what the model says."""
    generator = torch.Generator().manual_seed(seed)
    additions = {}
    for module, tensor in (("self_attn.q_proj", "attn_q"), ("mlp.up_proj", "ffn_up")):
        inputs, outputs = base.tensors[f"blk.0.{tensor}.weight"].shape
        additions[f"model.layers.0.{module}"] = Addition(
            a=torch.randn(4, inputs, generator=generator), b=torch.randn(outputs, 4, generator=generator), scale=0.2
        )
    write_lora(base, path, additions)
