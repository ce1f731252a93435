"""A network of the llama or qwen2 architecture whose linear layers carry LoRA adapters, made for training on few cores.

The same function as transformers' own model under PEFT (a test compares them), in less time:

- sequences of a batch lie one behind the other, so nothing is computed for padding;
- the prompt's beginning that all of them share is computed once per batch; only attention pads the rests;
- q, k and v are one multiplication, gate and up another, and an adapter is added into its result in place;
- logits exist only where there is a label;
- frozen weights may be multiplied in bf16; adapters, their gradients and what lies between layers stay fp32.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from safetensors.torch import load_file
from torch import Tensor

from agent0es.training.examples import Example, shared_prefix

Precision = Literal["fp32", "bf16"]
PRECISIONS: Mapping[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}

GROUPS = (
    ("self_attn", ("q_proj", "k_proj", "v_proj")),
    ("self_attn", ("o_proj",)),
    ("mlp", ("gate_proj", "up_proj")),
    ("mlp", ("down_proj",)),
)
"""Linear layers of a block that read the same input, in the order of use."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch of token sequences: their common beginning, then the rest of each."""

    ids: Tensor
    """int64, shape (tokens,)."""
    positions: Tensor
    shared: int
    """Tokens of the common beginning."""
    padded: Tensor
    """int64, shape (sequences, longest rest): where each token of a rest lies in ids; behind its end, any place."""
    unpadded: Tensor
    """Where the tokens of the rests lie in the flattened `padded`, in the order of ids."""
    predicts: Tensor
    """Indices of the tokens whose successor is learnt."""
    labels: Tensor
    """Those successors."""


def pack(examples: Sequence[Example]) -> Packed:
    """Lay out a batch. Trainable first tokens of a text are not learnt: nothing comes before them."""
    shared = shared_prefix(examples)
    ids, positions = list(examples[0].ids[:shared]), list(range(shared))
    predicts, labels = [], []
    longest = max(len(example.ids) for example in examples) - shared
    padded = torch.zeros(len(examples), longest, dtype=torch.int64)
    unpadded: list[int] = []
    for row, example in enumerate(examples):
        start = len(ids)
        rest = len(example.ids) - shared
        padded[row, :rest] = torch.arange(start, start + rest)
        unpadded += range(row * longest, row * longest + rest)
        ids += example.ids[shared:]
        positions += range(shared, len(example.ids))
        for at in range(max(shared, 1), len(example.ids)):
            if example.trainable[at]:
                predicts.append(start + at - shared - 1 if at > shared else shared - 1)
                labels.append(example.ids[at])
    return Packed(
        ids=torch.tensor(ids),
        positions=torch.tensor(positions),
        shared=shared,
        padded=padded,
        unpadded=torch.tensor(unpadded),
        predicts=torch.tensor(predicts, dtype=torch.int64),
        labels=torch.tensor(labels, dtype=torch.int64),
    )


def product(x: Tensor, weight: Tensor) -> Tensor:
    """x times frozen weights, computed in the weights' precision, as fp32."""
    return (x.to(weight.dtype) @ weight).float()


class AdaptedLinear(torch.autograd.Function):
    """y = x Wᵀ + s (x Aᵀ) Bᵀ with W frozen; shapes x (n, in), W (out, in), A (r, in), B (out, r)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
        low = x @ a.T
        y = product(x, weight.T)
        y.addmm_(low, b.T, alpha=scale)
        ctx.save_for_backward(x, weight, a, b, low)
        ctx.scale = scale
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        [grad] = grads
        x, weight, a, b, low = ctx.saved_tensors
        grad_low = (grad @ b).mul_(ctx.scale)
        grad_x = product(grad, weight).addmm_(grad_low, a) if ctx.needs_input_grad[0] else None
        return grad_x, None, grad_low.T @ x, (grad.T @ low).mul_(ctx.scale), None


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
        weights = {
            name: tensor for file in sorted(base_dir.glob("*.safetensors")) for name, tensor in load_file(file).items()
        }
        self._embedding = weights["model.embed_tokens.weight"].float()
        self._output = weights.get("lm_head.weight", self._embedding).to(PRECISIONS[precision])
        self._norm = weights["model.norm.weight"]
        self._norms = [
            [weights[f"model.layers.{n}.{name}.weight"] for name in ("input_layernorm", "post_attention_layernorm")]
            for n in range(self.layers)
        ]
        self._weights: dict[tuple[int, int], Tensor] = {}
        """In the precision of the multiplications."""
        self._biases: dict[tuple[int, int], Tensor] = {}
        """Of q, k and v in qwen2."""
        self._members: dict[tuple[int, int], list[tuple[str, int]]] = {}
        self.adapters: dict[str, tuple[Tensor, Tensor]] = {}
        """`model.layers.0.self_attn.q_proj` to A (rank, in) and B (out, rank)."""
        for layer in range(self.layers):
            for group, (parent, names) in enumerate(GROUPS):
                paths = [f"model.layers.{layer}.{parent}.{name}" for name in names]
                parts = [weights.pop(f"{path}.weight") for path in paths]
                whole = parts[0] if len(parts) == 1 else torch.cat(parts)
                self._weights[layer, group] = whole.to(PRECISIONS[precision])
                if f"{paths[0]}.bias" in weights:
                    self._biases[layer, group] = torch.cat([weights[f"{path}.bias"] for path in paths])
                members = list(zip(paths, (len(part) for part in parts), strict=True))
                self._members[layer, group] = members
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
        longest = batch.padded.shape[1]
        # A token sees the common beginning and its own sequence up to itself: never what pads the sequence's end.
        causal = torch.ones(longest, batch.shared + longest, dtype=torch.bool).tril(batch.shared)
        x = F.embedding(batch.ids, self._embedding)
        for layer in range(self.layers):
            before_attention, before_mlp = self._norms[layer]
            x = x + self._attention(layer, self._normalise(x, before_attention), cos, sin, causal, batch)
            gate, up = self._linear(layer, 2, self._normalise(x, before_mlp)).chunk(2, -1)
            x = x + self._linear(layer, 3, F.silu(gate) * up)
        x = self._normalise(x[batch.predicts], self._norm)
        return -F.cross_entropy(product(x, self._output.T), batch.labels, reduction="none")

    def _attention(self, layer: int, x: Tensor, cos: Tensor, sin: Tensor, causal: Tensor, batch: Packed) -> Tensor:
        heads, kv_heads, shared = self._heads, self._kv_heads, batch.shared
        mixed = self._linear(layer, 0, x)
        if (bias := self._biases.get((layer, 0))) is not None:
            mixed = mixed + bias
        mixed = mixed.view(len(x), heads + 2 * kv_heads, self._head)
        q, k, v = mixed.split([heads, kv_heads, kv_heads], 1)
        q, k = (part * cos + _rotate_half(part) * sin for part in (q, k))
        # Every query head gets a key head of its own.
        k, v = (part.repeat_interleave(heads // kv_heads, 1) for part in (k, v))
        # (sequences, heads, tokens, head)
        queries, keys, values = (part[batch.padded].transpose(1, 2) for part in (q, k, v))
        first_q, first_k, first_v = (part[:shared].transpose(0, 1) for part in (q, k, v))
        count = len(batch.padded)
        keys, values = (
            torch.cat([first.expand(count, -1, -1, -1), rest], 2)
            for first, rest in ((first_k, keys), (first_v, values))
        )
        seen = F.scaled_dot_product_attention(queries, keys, values, attn_mask=causal)
        rests = seen.transpose(1, 2).flatten(0, 1)[batch.unpadded]
        first = F.scaled_dot_product_attention(first_q, first_k, first_v, is_causal=True).transpose(0, 1)
        return self._linear(layer, 1, torch.cat([first, rests]).flatten(1))

    def _linear(self, layer: int, group: int, x: Tensor) -> Tensor:
        weight, members = self._weights[layer, group], self._members[layer, group]
        pairs = [self.adapters.get(path) for path, _ in members]
        present = [pair for pair in pairs if pair is not None]
        if not present:
            return product(x, weight.T)
        if len(pairs) == 1:
            [(a, b)] = present
        else:
            a = torch.cat([pair[0] for pair in present])
            # A layer without an adapter has no columns here, and rows of zeros.
            b = torch.block_diag(
                *(a.new_zeros(n, 0) if p is None else p[1] for p, (_, n) in zip(pairs, members, strict=True))
            )
        if self._dropout:
            return product(x, weight.T) + F.dropout(x, self._dropout) @ a.T @ b.T * self.scale
        result: Tensor = AdaptedLinear.apply(x, weight, a, b, self.scale)
        return result

    def _normalise(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), weight, self._eps)


def _rotate_half(x: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return torch.cat([-second, first], -1)
