"""A trained adapter merged into its base, as one GGUF file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from agent0es.crash_points import reach
from agent0es.models.gguf_file import GgufFile
from agent0es.models.gguf_writer import write_gguf
from agent0es.models.weights import heads_of, hugging_face_name


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
