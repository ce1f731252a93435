"""A GGUF as a Hugging Face folder with the same values and tokens: what training and transformers start from."""

import json
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent0es.errors import ModelNotFound
from agent0es.models.gguf_file import GgufFile, TensorInfo
from agent0es.models.gguf_layout import (
    ARCHITECTURES,
    architecture_of,
    hugging_face_name,
    in_hugging_face_order,
    is_known,
)
from agent0es.models.gguf_tokenizer import why_no_tokenizer, write_tokenizer

MOST_IN_FP32 = 500_000_000
"""Values. The matrices of a larger model are written in fp16: half of the room, and 2⁻¹¹ of a value is far less than
the file's quantization took from it."""
_SHARD = 2**30
"""Bytes of a file of weights, about."""
_ARCHITECTURES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}
_NEEDED = (
    *("block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count"),
    *("attention.head_count_kv", "rope.freq_base", "attention.layer_norm_rms_epsilon"),
)
"""Metadata that `model_config` reads, without the architecture."""


def why_not_exported(file: GgufFile) -> str | None:
    """Why a GGUF can't be turned into this form; None where it can. Reads the header only."""
    why = _why_not_exported(file)
    return None if why is None else f"{file.path.name}: {why}"


def _why_not_exported(file: GgufFile) -> str | None:
    data = file.metadata
    if (architecture := data.get("general.architecture")) not in ARCHITECTURES:
        return f"training needs a GGUF of the architecture {' or '.join(ARCHITECTURES)}, this is {architecture}"
    if why := why_no_tokenizer(file):
        return why
    if missing := [f"{architecture}.{key}" for key in _NEEDED if f"{architecture}.{key}" not in data]:
        return f"it does not say {', '.join(missing)}, which training needs"
    if scaling := [key for key in data if key.startswith(f"{architecture}.rope.scaling.")]:
        return f"training knows no scaled positions ({scaling[0]})"
    if f"{architecture}.attention.sliding_window" in data:
        return f"training knows no sliding window ({architecture}.attention.sliding_window)"
    head = _head_size(file)
    if any(data.get(f"{architecture}.{key}", head) != head for key in ("attention.key_length", "rope.dimension_count")):
        return "training knows only heads whose sizes add up to that of the embedding, and rotates them whole"
    unknown = [name for name in file.tensors if not is_known(file, name)]
    return f"training does not know the tensor {unknown[0]}" if unknown else None


def write_folder(file: GgufFile, folder: Path) -> None:
    """Weights (safetensors, in shards where they are large), configuration, tokenizer.

    Raises ModelNotFound, saying what `why_not_exported` says.
    """
    from safetensors.numpy import save_file

    if why := why_not_exported(file):
        raise ModelNotFound(why)
    folder.mkdir()
    half = sum(prod(tensor.shape) for tensor in file.tensors.values()) > MOST_IN_FP32
    shards = list(_shards(file, half))
    names = {
        f"model-{n:05}-of-{len(shards):05}.safetensors" if len(shards) > 1 else "model.safetensors": shard
        for n, shard in enumerate(shards, start=1)
    }
    places: dict[str, str] = {}
    for path, shard in names.items():
        tensors = {hugging_face_name(tensor.name): _values(file, tensor, half) for tensor in shard}
        save_file(tensors, folder / path, metadata={"format": "pt"})
        places |= dict.fromkeys(tensors, path)
    if len(shards) > 1:
        size = sum(_size(tensor, half) for tensor in file.tensors.values())
        index = {"metadata": {"total_size": size}, "weight_map": places}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1), encoding="utf-8")
    write_tokenizer(file, folder)
    (folder / "config.json").write_text(json.dumps(model_config(file, half), indent=1), encoding="utf-8")


def _shards(file: GgufFile, half: bool) -> Iterator[list[TensorInfo]]:
    """The tensors in lists that are written, and held in memory, together."""
    shard: list[TensorInfo] = []
    for tensor in file.tensors.values():
        if shard and sum(_size(one, half) for one in (*shard, tensor)) > _SHARD:
            yield shard
            shard = []
        shard.append(tensor)
    yield shard


def _size(tensor: TensorInfo, half: bool) -> int:
    return prod(tensor.shape) * (2 if half and len(tensor.shape) > 1 else 4)


def _values(file: GgufFile, tensor: TensorInfo, half: bool) -> npt.NDArray[Any]:
    """Vectors stay in fp32: there are few of them, and a bias can be large."""
    values = in_hugging_face_order(file, tensor.name)
    if not (half and len(tensor.shape) > 1):
        return values.copy()
    rounded = values.astype(np.float16)
    if not np.isfinite(rounded).all():
        raise ModelNotFound(f"{file.path.name}: {tensor.name} has values that fp16 can't hold")
    return rounded


def model_config(file: GgufFile, half: bool) -> Mapping[str, Any]:
    """What `config.json` says."""
    data, architecture = file.metadata, architecture_of(file)

    def said(key: str) -> Any:
        return data[f"{architecture}.{key}"]

    return {
        "architectures": [_ARCHITECTURES[architecture]],
        "model_type": architecture,
        "hidden_act": "silu",
        **({"attention_bias": False, "mlp_bias": False} if architecture == "llama" else {"use_sliding_window": False}),
        "dtype": "float16" if half else "float32",
        "hidden_size": said("embedding_length"),
        "intermediate_size": said("feed_forward_length"),
        "num_hidden_layers": said("block_count"),
        "num_attention_heads": said("attention.head_count"),
        "num_key_value_heads": said("attention.head_count_kv"),
        "head_dim": _head_size(file),
        "max_position_embeddings": said("context_length"),
        "rms_norm_eps": said("attention.layer_norm_rms_epsilon"),
        "rope_theta": said("rope.freq_base"),
        "rope_parameters": {"rope_type": "default", "rope_theta": said("rope.freq_base")},
        "vocab_size": len(data["tokenizer.ggml.tokens"]),
        "tie_word_embeddings": "output.weight" not in file.tensors,
        "bos_token_id": data["tokenizer.ggml.bos_token_id"],
        "eos_token_id": data["tokenizer.ggml.eos_token_id"],
        "pad_token_id": data["tokenizer.ggml.padding_token_id"],
    }


def _head_size(file: GgufFile) -> int:
    data, architecture = file.metadata, architecture_of(file)
    return int(data[f"{architecture}.embedding_length"]) // int(data[f"{architecture}.attention.head_count"])
