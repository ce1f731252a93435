"""How a GGUF file lays out the models that can be trained: the names of their tensors, and the order of their rows.

The architectures are `llama` and `qwen2` (the same with biases on q, k and v). Of llama the rows of q and k are
interleaved: llama.cpp rotates neighbours, Hugging Face the two halves of a head.
"""

import re

import numpy as np
import numpy.typing as npt

from agent0es.models.gguf_file import GgufFile

ARCHITECTURES = ("llama", "qwen2")

_MODULES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""Names inside a block, GGUF to Hugging Face."""
_OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_INTERLEAVED = {"attn_q": "head_count", "attn_k": "head_count_kv"}
"""Modules whose rows llama files keep in another order, and the metadata that counts their heads."""
_BIASED = ("attn_q", "attn_k", "attn_v")
"""What has a bias in qwen2."""


def hugging_face_name(name: str) -> str:
    """`blk.3.attn_q.weight` as `model.layers.3.self_attn.q_proj.weight`. Raises KeyError."""
    match name.split("."):
        case ["blk", layer, module, kind]:
            return f"model.layers.{layer}.{_MODULES[module]}.{kind}"
        case [module, kind]:
            return f"{_OUTSIDE[module]}.{kind}"
    raise KeyError(name)


def is_known(file: GgufFile, name: str) -> bool:
    """Whether a tensor is one of those that its architecture has."""
    if not re.fullmatch(rf"blk\.\d+\.({'|'.join(_MODULES)})\.\w+|({'|'.join(_OUTSIDE)})\.\w+", name):
        return False
    *_, module, kind = name.split(".")
    return kind == "weight" or (kind == "bias" and module in _BIASED and architecture_of(file) == "qwen2")


def architecture_of(file: GgufFile) -> str:
    """Raises KeyError where the file names none."""
    return str(file.metadata["general.architecture"])


def in_hugging_face_order(file: GgufFile, name: str) -> npt.NDArray[np.float32]:
    """A tensor's values, its rows as Hugging Face has them."""
    values = file.values(name)
    heads = _interleaved_heads(file, name)
    if heads is None:
        return values
    rows, columns = values.shape
    return values.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def in_gguf_order(file: GgufFile, name: str, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The other way round, for values of as many rows as the tensor `name` has, e.g. an adapter's B (out, rank)."""
    heads = _interleaved_heads(file, name)
    if heads is None:
        return values
    rows, columns = values.shape
    return values.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _interleaved_heads(file: GgufFile, name: str) -> int | None:
    """Attention heads of a tensor whose rows are interleaved, else None."""
    if architecture_of(file) != "llama":
        return None
    key = _INTERLEAVED.get(name.split(".")[-2])
    return None if key is None else int(file.metadata[f"llama.attention.{key}"])
