"""GGUF files that are not what they say: refused in one line, whatever is wrong with them."""

import struct
from pathlib import Path

import pytest

from agent0es.errors import ModelNotFound
from agent0es.models.gguf_file import HEADER, MAGIC, GgufFile

BOOLEAN, STRING, ARRAY, UINT32, INT32 = 7, 8, 9, 4, 5


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


ODD = {
    "a list in a list in a list": entry("a", ARRAY, struct.pack("<IQ", ARRAY, 1) * 5000),
    "an alignment of 0": entry("general.alignment", UINT32, struct.pack("<I", 0)),
    "an alignment that is a list": entry("general.alignment", ARRAY, struct.pack("<IQ", UINT32, 0)),
    "heads of each layer": entry("llama.attention.head_count", ARRAY, struct.pack("<IQ2I", UINT32, 2, 8, 4)),
    "a context in words": entry("llama.context_length", STRING, text("long")),
    "a context of no tokens": entry("llama.context_length", INT32, struct.pack("<i", -1)),
    "a token in words": entry("tokenizer.ggml.eos_token_id", STRING, text("</s>")),
    "a lone token": entry("tokenizer.ggml.tokens", STRING, text("</s>")),
    "tokens that are numbers": entry("tokenizer.ggml.tokens", ARRAY, struct.pack("<IQI", UINT32, 1, 7)),
    "kinds that are none": entry("tokenizer.ggml.token_type", BOOLEAN, b"\x01"),
    "a list longer than the file": entry("a", ARRAY, struct.pack("<IQ", UINT32, 2**61)),
    "nothing at all": b"",
}


@pytest.mark.parametrize("written", ODD.values(), ids=ODD)
def test_a_file_that_is_not_what_it_says_is_refused_in_one_line(written: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.gguf"
    path.write_bytes(HEADER.pack(MAGIC, 3, 0, 1) + written)
    with pytest.raises(ModelNotFound, match=r"odd\.gguf: not a readable GGUF file: ") as refused:
        GgufFile.open(path)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < len(str(path)) + 200
