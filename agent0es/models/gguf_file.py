"""Reading a GGUF file: its metadata, where its tensors lie, and their values.

`gguf.GGUFReader` spends three seconds on a vocabulary of 49,152; walking over the bytes takes a twentieth of that, and
keeps them, so that a merged model can carry the very same metadata.
"""

import mmap
import re
import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent0es.errors import ModelNotFound

MAGIC = b"GGUF"
HEADER = struct.Struct("<4sIQQ")
"""Magic, version, number of tensors, number of metadata entries."""
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_WHOLE_NUMBERS = re.compile(
    r"general\.alignment|tokenizer\.ggml\.\w+_token_id|\w+\.(context_length|embedding_length|attention\.head_count)"
)
_LISTS = {"tokenizer.ggml.tokens": str, "tokenizer.ggml.token_type": int}
"""Metadata that is read here and elsewhere as what it should be, and the kinds of it."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Where a tensor lies."""

    name: str
    shape: tuple[int, ...]
    """GGUF order: the fastest dimension first, so a weight of shape (out, in) has (in, out)."""
    type: int
    """Number of the quantization, a `gguf.GGMLQuantizationType`."""
    offset: int
    """Bytes from the start of the data."""


@dataclass(frozen=True)
class GgufFile:
    """What a GGUF file says about itself."""

    path: Path
    metadata: dict[str, Any]
    metadata_bytes: bytes
    """All metadata entries as they stand in the file."""
    value_at: dict[str, int]
    """Metadata key to the place of its value in `metadata_bytes`."""
    tensors: dict[str, TensorInfo]
    data_start: int
    """Bytes from the start of the file to the first tensor."""

    @classmethod
    def open(cls, path: Path) -> "GgufFile":
        """Read the header. Raises ModelNotFound when there is no such file or it is not a GGUF."""
        try:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _parse(path, data)
        except (OSError, ValueError, struct.error, KeyError, RecursionError) as error:
            raise ModelNotFound(f"{path}: not a readable GGUF file: {error}") from None

    @cached_property
    def _data(self) -> npt.NDArray[np.uint8]:
        return np.memmap(self.path, mode="r", dtype=np.uint8)

    def raw(self, name: str) -> npt.NDArray[np.uint8]:
        """A tensor's bytes as stored, one row of the matrix per row."""
        import gguf

        tensor = self.tensors[name]
        block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(tensor.type)]
        row = tensor.shape[0] // block * size
        rows = int(np.prod(tensor.shape[1:], dtype=np.int64))
        start = self.data_start + tensor.offset
        return self._data[start : start + rows * row].reshape(rows, row)

    def values(self, name: str) -> npt.NDArray[np.float32]:
        """A tensor's values, dequantized, in the usual order of dimensions."""
        import gguf

        tensor = self.tensors[name]
        values = gguf.quants.dequantize(self.raw(name), gguf.GGMLQuantizationType(tensor.type))
        return np.asarray(values, dtype=np.float32).reshape(tensor.shape[::-1])


def _parse(path: Path, data: mmap.mmap) -> GgufFile:
    magic, version, tensor_count, entry_count = HEADER.unpack_from(data, 0)
    if magic != MAGIC or version not in (2, 3):
        raise ValueError("it does not begin with GGUF version 2 or 3")
    at = start = HEADER.size
    metadata: dict[str, Any] = {}
    value_at: dict[str, int] = {}
    for _ in range(entry_count):
        key, at = _string(data, at)
        (kind,) = struct.unpack_from("<I", data, at)
        value_at[key] = at + 4 - start
        metadata[key], at = _value(data, at + 4, kind)
        _check(key, metadata[key])
    end = at
    tensors = {}
    for _ in range(tensor_count):
        name, at = _string(data, at)
        (dimensions,) = struct.unpack_from("<I", data, at)
        shape = struct.unpack_from(f"<{dimensions}Q", data, at + 4)
        at += 4 + 8 * dimensions
        kind, offset = struct.unpack_from("<IQ", data, at)
        at += 12
        tensors[name] = TensorInfo(name, shape, kind, offset)
    alignment = metadata.get("general.alignment", 32)
    return GgufFile(path, metadata, data[start:end], value_at, tensors, -(-at // alignment) * alignment)


def _check(key: str, value: Any) -> None:
    """Raises ValueError for a value of another kind than it should be."""
    if _WHOLE_NUMBERS.fullmatch(key):
        if not isinstance(value, int) or isinstance(value, bool) or (value < 1 and not key.endswith("_token_id")):
            raise ValueError(f"its {key} can't be {str(value)[:40]!r}")
    elif (kind := _LISTS.get(key)) and not (isinstance(value, list) and all(isinstance(one, kind) for one in value)):
        raise ValueError(f"its {key} must be a list of {'texts' if kind is str else 'whole numbers'}")


def _string(data: mmap.mmap, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<Q", data, at)
    at += 8
    if length > len(data) - at:
        raise ValueError("a string is longer than the file")
    return data[at : at + length].decode(), at + length


def _value(data: mmap.mmap, at: int, kind: int) -> tuple[Any, int]:
    if kind == _STRING:
        return _string(data, at)
    if kind != _ARRAY:
        scalar = struct.Struct(_SCALARS[kind])
        return scalar.unpack_from(data, at)[0], at + scalar.size
    element, count = struct.unpack_from("<IQ", data, at)
    at += 12
    if element in (_STRING, _ARRAY):
        values = []
        for _ in range(count):
            value, at = _value(data, at, element)
            values.append(value)
        return values, at
    array = struct.Struct(f"<{count}{_SCALARS[element][1]}")
    return list(array.unpack_from(data, at)), at + array.size
