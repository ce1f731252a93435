"""Merged weights as a GGUF file, built on the base's: same metadata, same tokenizer, other matrices."""

import os
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from agent0es.models.gguf_file import HEADER, MAGIC, GgufFile
from agent0es.models.weights import heads_of, hugging_face_name

Q8_0 = 8
"""Number of the quantization in the file format, for a tensor and (below) for a file."""
FILE_TYPE_MOSTLY_Q8_0 = 7
BLOCK = 32
"""Values that share a scale."""
ALIGNMENT = 32


def quantise_q8_0(values: Tensor) -> Tensor:
    """Q8_0 bytes of a float32 matrix: per 32 values of a row a float16 scale (largest / 127) and 32 int8.

    Shape (rows, columns) gives (rows, columns / 32 * 34) uint8, the same bytes as `gguf.quants.quantize`.
    """
    blocks = values.reshape(-1, BLOCK)
    scale = blocks.abs().amax(1, keepdim=True) / 127
    inverse = torch.where(scale == 0, torch.zeros_like(scale), 1 / scale)
    scaled = blocks * inverse
    # Halves away from zero, as llama.cpp rounds; torch.round would take the even neighbour.
    levels = (scaled.abs() + 0.5).floor_().copysign_(scaled).to(torch.int8)
    packed = torch.cat([scale.to(torch.float16).view(torch.uint8), levels.view(torch.uint8)], 1)
    return packed.reshape(values.shape[0], -1)


def write_merged(base: GgufFile, path: Path, merged: Callable[[str], Tensor | None]) -> None:
    """Write the base with some matrices replaced, whole or not at all.

    `merged` gives an (out, in) matrix for a Hugging Face module's path, e.g. `model.layers.0.self_attn.q_proj`, or
    None to keep the base's bytes, quantization included.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            _write(base, file, merged)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _write(base: GgufFile, file: BinaryIO, merged: Callable[[str], Tensor | None]) -> None:
    # Tensors one at a time: the directory, which lists their places, is written last into room left for it.
    directory_size = sum(_directory_entry_size(name, len(t.shape)) for name, t in base.tensors.items())
    data_start = _aligned(HEADER.size + len(base.metadata_bytes) + directory_size)
    directory = bytearray()
    file.seek(data_start)
    for name, tensor in base.tensors.items():
        replaced = merged(hugging_face_name(name).removesuffix(".weight"))
        if replaced is not None:
            kind, data = Q8_0, quantise_q8_0(_rotary_order(replaced, heads_of(base, name))).numpy()
        else:
            kind, data = tensor.type, base.raw(name)
        offset = file.tell() - data_start
        encoded = name.encode()
        directory += struct.pack("<Q", len(encoded)) + encoded
        directory += struct.pack(f"<I{len(tensor.shape)}QIQ", len(tensor.shape), *tensor.shape, kind, offset)
        file.write(data.tobytes())
        file.write(bytes(_aligned(file.tell()) - file.tell()))
    metadata = bytearray(base.metadata_bytes)
    if "general.file_type" in base.value_at:
        struct.pack_into("<I", metadata, base.value_at["general.file_type"], FILE_TYPE_MOSTLY_Q8_0)
    file.seek(0)
    file.write(HEADER.pack(MAGIC, 3, len(base.tensors), len(base.metadata)))
    file.write(metadata)
    file.write(directory)


def _rotary_order(values: Tensor, heads: int | None) -> Tensor:
    """Rows of q and k as llama.cpp keeps them: the two halves that a rotation mixes, interleaved."""
    if heads is None:
        return values
    rows, columns = values.shape
    return values.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _directory_entry_size(name: str, dimensions: int) -> int:
    return 8 + len(name.encode()) + 4 + 8 * dimensions + 4 + 8


def _aligned(at: int) -> int:
    return -(-at // ALIGNMENT) * ALIGNMENT
