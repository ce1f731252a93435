"""A trained adapter merged into its base, as one GGUF file."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agent0es.crash_points import reach
from agent0es.models.artifacts import CONFIG, MERGED, PEFT, WEIGHTS, Artifacts
from agent0es.models.gguf_file import GgufFile
from agent0es.models.gguf_writer import write_gguf
from agent0es.models.weights import heads_of, hugging_face_name, in_hugging_face_order


def write_merged(base: GgufFile, path: Path, merged: Callable[[str], Tensor | None]) -> None:
    """Write the base with adapted layers, and what OpenVINO would approximate, in Q8_0, whole or not at all.

    `merged` gives the (out, in) matrix of a Hugging Face module, e.g. `model.layers.0.self_attn.q_proj`, or None to
    keep the base's values.
    """

    def replaced(name: str) -> npt.NDArray[np.float32] | None:
        reach("merge.tensor", with_parent=True)
        values = merged(hugging_face_name(name).removesuffix(".weight"))
        if values is None:
            return None
        heads = heads_of(base, name)
        if heads is not None:
            # llama.cpp keeps the two halves of a head that a rotation mixes interleaved.
            rows, columns = values.shape
            values = values.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
        return np.ascontiguousarray(values.numpy())

    write_gguf(base, path, replaced)


def merge_again(base_gguf: Path, artifacts: Artifacts) -> None:
    """Write an adapter's merged file again, as the trainer did (`Network.merged`).

    Raises OSError, and ValueError when the folder holds no such adapter.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    base = GgufFile.open(base_gguf)
    names = {hugging_face_name(name).removesuffix(".weight"): name for name in base.tensors}
    try:
        config = json.loads((artifacts.folder / CONFIG).read_text())
        scale = float(config["lora_alpha"]) / int(config["r"])
        tensors = load_file(artifacts.folder / WEIGHTS)
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError, SafetensorError) as error:
        raise ValueError(f"{artifacts.folder / PEFT}: not a readable adapter: {error!r}") from None

    def merged(module: str) -> Tensor | None:
        a, b = (tensors.get(f"base_model.model.{module}.lora_{part}.weight") for part in "AB")
        if a is None or b is None:
            return None
        weight = torch.from_numpy(in_hugging_face_order(base, names[module]).copy())
        return torch.addmm(weight, b, a, alpha=scale)

    write_merged(base, artifacts.folder / MERGED, merged)
