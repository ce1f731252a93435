"""GGUF files, read and written."""

import hashlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import gguf
import numpy as np
import torch

from agent0es.models.gguf_file import GgufFile
from agent0es.models.gguf_writer import as_q8_0, is_approximated
from agent0es.models.weights import base_model_dir, find_weights
from agent0es.training.export.adapter import Addition
from agent0es.training.export.gguf import write_merged


def test_approximated_matrices_become_q8_0_and_keep_their_values(tiny_gguf: Path, tmp_path: Path) -> None:
    base = GgufFile.open(tiny_gguf)
    assert not is_approximated(base)
    embedded = GgufFile.open(find_weights("smollm2-135m-instruct").path)
    assert is_approximated(embedded)
    as_q8_0(embedded, tmp_path / "new folder" / "q8.gguf")
    written = GgufFile.open(tmp_path / "new folder" / "q8.gguf")
    assert not is_approximated(written)
    assert np.array_equal(written.raw("token_embd.weight"), embedded.raw("token_embd.weight"))
    values = embedded.values("blk.7.ffn_down.weight")
    assert np.abs(written.values("blk.7.ffn_down.weight") - values).max() < np.abs(values).max() / 127
    write_merged(embedded, tmp_path / "merged.gguf", {})
    assert not is_approximated(GgufFile.open(tmp_path / "merged.gguf")), "layers without an adapter are approximated"


def test_our_reader_sees_what_the_gguf_package_sees(tiny_gguf: Path) -> None:
    ours, theirs = GgufFile.open(tiny_gguf), gguf.GGUFReader(tiny_gguf)
    for field in theirs.fields.values():
        if not field.name.startswith("GGUF."):
            assert ours.metadata[field.name] == field.contents(), field.name
    assert list(ours.tensors) == [tensor.name for tensor in theirs.tensors]
    for tensor in theirs.tensors:
        assert np.array_equal(ours.values(tensor.name).ravel(), np.asarray(tensor.data).ravel())


def test_a_merged_file_keeps_the_metadata_and_what_has_no_adapter(tiny_gguf: Path, tmp_path: Path) -> None:
    base = GgufFile.open(tiny_gguf)
    added = Addition(torch.randn(4, 64), torch.randn(64, 4), 0.5)
    write_merged(base, tmp_path / "merged.gguf", {"model.layers.1.self_attn.o_proj": added})
    merged = GgufFile.open(tmp_path / "merged.gguf")
    assert {**merged.metadata, "general.file_type": 0} == base.metadata
    assert merged.metadata["general.file_type"] == 7
    for name in base.tensors:
        if name != "blk.1.attn_output.weight":
            assert np.array_equal(base.values(name), merged.values(name))
    changed = base.values("blk.1.attn_output.weight") + 0.5 * (added.b @ added.a).numpy()
    assert np.abs(merged.values("blk.1.attn_output.weight") - changed).max() < np.abs(changed).max() / 127
    assert [p.name for p in tmp_path.iterdir()] == ["merged.gguf"], "nothing temporary is left"


def test_two_processes_may_make_the_base_folder_at_once(tiny_gguf: Path, tmp_path: Path) -> None:
    """And what one that was killed had begun is removed."""
    begun = tmp_path / f".{hashlib.sha256(tiny_gguf.read_bytes()).hexdigest()[:16]}-killed"
    begun.mkdir()
    (begun / "config.json").touch()
    with ProcessPoolExecutor(4) as pool:
        made = set(pool.map(base_model_dir, [tmp_path] * 4, [tiny_gguf] * 4))
    assert len(made) == 1
    name = made.pop().name
    assert {path.name for path in tmp_path.iterdir()} == {name, f"{name}.sha256"}, "nothing unfinished is left"
