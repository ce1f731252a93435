"""A network of the llama or qwen2 architecture whose linear layers carry LoRA adapters, made for training on few cores.

The same function as transformers' own model under PEFT (a test compares them), in less time and memory:

- texts of a batch lie one behind the other, so nothing is computed for padding (`packing.py`);
- what several of them begin with is computed once per batch;
- q, k and v are one multiplication, gate and up another, and an adapter is added into its result in place;
- what can be computed again from what is kept anyway is not kept (`functions.py`);
- logits exist only where there is a label, and only some at a time.

Products, and what lies between them, may be in bf16; adapters, their steps, what blocks add up and norms stay fp32.
"""

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from safetensors import safe_open
from torch import Tensor

from agent0es.training.examples import Example
from agent0es.training.functions import AdaptedLinear, Attention, Gated, LogProbabilities, Normalised
from agent0es.training.packing import Family, pack

Precision = Literal["fp32", "bf16"]
PRECISIONS: Mapping[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}

GROUPS = (
    ("self_attn", ("q_proj", "k_proj", "v_proj")),
    ("self_attn", ("o_proj",)),
    ("mlp", ("gate_proj", "up_proj")),
    ("mlp", ("down_proj",)),
)
"""Linear layers of a block that read the same input, in the order of use."""


class Network:
    """Base weights and the adapters on them."""

    def __init__(
        self,
        base_dir: Path,
        targets: Sequence[str],
        rank: int,
        alpha: float,
        dropout: float,
        precision: Precision = "fp32",
        frozen_share: float = 0.0,
    ) -> None:
        """Adapters start as in PEFT: A uniform (Kaiming, a=√5), B zero, from torch's current seed.

        The first `frozen_share` of the layers, rounded down, get none, so that no gradient has to go back through them.
        Raises ValueError for a target that is no linear layer.
        """
        self.precision: Precision = precision
        known = [name for _, names in GROUPS for name in names]
        unknown = [name for name in targets if name not in known]
        if unknown or not targets:
            raise ValueError(f"target_modules {', '.join(unknown) or '[]'}: choose from {', '.join(known)}")
        config = json.loads((base_dir / "config.json").read_text())
        self.layers: int = config["num_hidden_layers"]
        self.first_adapted = int(frozen_share * self.layers)
        self._heads: int = config["num_attention_heads"]
        self._kv_heads: int = config["num_key_value_heads"]
        self._head: int = config["head_dim"]
        self._eps: float = config["rms_norm_eps"]
        self._theta: float = config["rope_theta"]
        self.scale = alpha / rank
        self._dropout = dropout
        self._config = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "r": rank,
            "lora_alpha": alpha,
            "lora_dropout": dropout,
            "target_modules": sorted(targets),
            "layers_to_transform": list(range(self.first_adapted, self.layers)),
            "bias": "none",
            "fan_in_fan_out": False,
            "inference_mode": True,
        }
        self._dtype = PRECISIONS[precision]
        self._weights: dict[tuple[int, int], Tensor] = {}
        self._biases: dict[tuple[int, int], Tensor] = {}
        """Of q, k and v in qwen2."""
        self._members: dict[tuple[int, int], list[tuple[str, slice]]] = {}
        """Paths of the layers, and which columns of the result are theirs."""
        self.adapters: dict[str, tuple[Tensor, Tensor]] = {}
        """`model.layers.0.self_attn.q_proj` to A (rank, in) and B (out, rank)."""
        with ExitStack() as stack:
            files = [stack.enter_context(safe_open(file, "pt")) for file in sorted(base_dir.glob("*.safetensors"))]
            places = {name: file for file in files for name in file.keys()}  # noqa: SIM118 - no mapping

            def read(name: str) -> Tensor:
                tensor: Tensor = places[name].get_tensor(name)
                return tensor

            self._embedding = read("model.embed_tokens.weight")
            self._output = read("lm_head.weight") if "lm_head.weight" in places else self._embedding
            self._output = self._output.to(self._dtype)
            self._norm = read("model.norm.weight").float()
            self._norms = [
                [read(f"model.layers.{n}.{x}.weight").float() for x in ("input_layernorm", "post_attention_layernorm")]
                for n in range(self.layers)
            ]
            for layer in range(self.layers):
                for group, (parent, names) in enumerate(GROUPS):
                    paths = [f"model.layers.{layer}.{parent}.{name}" for name in names]
                    parts = [read(f"{path}.weight").to(self._dtype) for path in paths]
                    self._weights[layer, group] = parts[0] if len(parts) == 1 else torch.cat(parts)
                    if f"{paths[0]}.bias" in places:
                        self._biases[layer, group] = torch.cat([read(f"{path}.bias") for path in paths]).to(self._dtype)
                    ends = list(accumulate(len(part) for part in parts))
                    self._members[layer, group] = [
                        (path, slice(end - len(part), end)) for path, part, end in zip(paths, parts, ends, strict=True)
                    ]
                    for name, path, part in zip(names, paths, parts, strict=True):
                        if name in targets and layer >= self.first_adapted:
                            a = torch.empty(rank, part.shape[1])
                            torch.nn.init.kaiming_uniform_(a, a=math.sqrt(5))
                            self.adapters[path] = (a.requires_grad_(), torch.zeros(len(part), rank, requires_grad=True))

    @property
    def parameters(self) -> list[Tensor]:
        """What is trained."""
        return [tensor for pair in self.adapters.values() for tensor in pair]

    def adapter(self) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
        """As `Policy` says."""
        tensors = {}
        for path, (a, b) in self.adapters.items():
            tensors[f"base_model.model.{path}.lora_A.weight"] = a.detach()
            tensors[f"base_model.model.{path}.lora_B.weight"] = b.detach()
        return tensors, self._config

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """As `Policy` says."""
        mine, _ = self.adapter()
        for name, tensor in mine.items():  # which share their memory with what is trained
            tensor.copy_(tensors[name])

    def log_probabilities(self, examples: Sequence[Example]) -> Tensor:
        """As `Policy` says."""
        batch = pack(examples)
        angles = batch.positions[:, None] / self._theta ** (torch.arange(0, self._head, 2) / self._head)
        cos, sin = (torch.cat([part, part], -1)[:, None] for part in (angles.cos(), angles.sin()))
        x = F.embedding(batch.ids, self._embedding).float()
        for layer in range(self.layers):
            before_attention, before_mlp = self._norms[layer]
            x = x + self._attention(layer, self._normalise(x, before_attention), cos, sin, batch.families)
            inner: Tensor = Gated.apply(self._linear(layer, 2, self._normalise(x, before_mlp)))
            x = x + self._linear(layer, 3, inner)
        found: Tensor = LogProbabilities.apply(
            self._normalise(x[batch.predicts], self._norm), self._output, batch.labels
        )
        return found

    def _attention(self, layer: int, x: Tensor, cos: Tensor, sin: Tensor, families: Sequence[Family]) -> Tensor:
        mixed = self._linear(layer, 0, x).unflatten(1, (-1, self._head))
        turned, v = mixed.split([self._heads + self._kv_heads, self._kv_heads], 1)
        turned = (turned * cos + _rotate_half(turned) * sin).to(self._dtype)
        q, k = turned.split([self._heads, self._kv_heads], 1)
        seen: Tensor = Attention.apply(q, k, v, families)
        return self._linear(layer, 1, seen.flatten(1))

    def _linear(self, layer: int, group: int, x: Tensor) -> Tensor:
        weight, bias = self._weights[layer, group], self._biases.get((layer, group))
        present = [(*self.adapters[path], at) for path, at in self._members[layer, group] if path in self.adapters]
        if not present:
            return F.linear(x, weight, bias)
        if self._dropout and torch.is_grad_enabled():
            # PEFT draws for each layer anew.
            y = F.linear(x, weight, bias)
            for a, b, at in present:
                low = F.dropout(x, self._dropout) @ a.T.to(x.dtype) @ b.T.to(x.dtype) * self.scale
                y = y + F.pad(low, (at.start, y.shape[1] - at.stop))
            return y
        adapters_a, adapters_b, places = zip(*present, strict=True)
        result: Tensor = AdaptedLinear.apply(x, weight, bias, self.scale, places, torch.cat(adapters_a), *adapters_b)
        return result

    def _normalise(self, x: Tensor, weight: Tensor) -> Tensor:
        result: Tensor = Normalised.apply(x, weight, self._eps, self._dtype)
        return result


def _rotate_half(x: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return torch.cat([-second, first], -1)
