"""An adapter as GGUF: merged into its base, in Q8_0 or F16, or as matrices beside it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from agent0es.crash_points import reach
from agent0es.models.artifacts import DERIVED, LORA_GGUF, MERGED, Artifacts
from agent0es.models.gguf_file import GgufFile
from agent0es.models.gguf_layout import (
    architecture_of,
    hugging_face_name,
    in_gguf_order,
    in_hugging_face_order,
    is_known,
)
from agent0es.models.gguf_writer import MatrixType, whole, write_gguf
from agent0es.training.export.adapter import Addition, read_adapter


def derive(base: GgufFile, artifacts: Artifacts) -> None:
    """Write what follows from the adapter that lies in PEFT's folder, and from its base: the files that the artifacts
    name, or all of them where they name none.

    Raises OSError, and ValueError when the folder holds no adapter of this base.
    """
    additions = read_adapter(artifacts.peft)
    wanted = DERIVED & artifacts.files.keys() or DERIVED
    if MERGED in wanted:
        write_merged(base, artifacts.merged, additions)
    if LORA_GGUF in wanted:
        write_lora(base, artifacts.lora_gguf, additions)


def write_merged(base: GgufFile, path: Path, additions: Mapping[str, Addition], matrices: MatrixType = "Q8_0") -> None:
    """Write the base with W + scale · B A for W, whole or not at all.

    In `Q8_0` the adapted matrices are, and those that OpenVINO would approximate; in `F16` all. Raises OSError, and
    ValueError for an addition to what the base doesn't have.
    """
    names = _places(base, additions)

    def replaced(name: str) -> npt.NDArray[np.float32] | None:
        reach("merge.tensor", with_parent=True)
        if name not in names:
            return None
        added = additions[names[name]]
        weight = torch.from_numpy(in_hugging_face_order(base, name).copy())
        merged = torch.addmm(weight, added.b, added.a, alpha=added.scale)
        return np.ascontiguousarray(in_gguf_order(base, name, merged.numpy()))

    write_gguf(base, path, replaced, matrices)


def write_lora(base: GgufFile, path: Path, additions: Mapping[str, Addition]) -> None:
    """Write A and B in fp32 as llama.cpp takes them beside their base, whole or not at all.

    The file has one alpha for all, and an engine divides it by each matrix's rank: where that is not a module's scale,
    its B takes up the difference. Raises as `write_merged` does.
    """
    import gguf

    names = _places(base, additions)
    alphas = {module: added.scale * len(added.a) for module, added in additions.items()}
    alpha = next(filter(None, alphas.values()), 1.0)  # to an engine, 0 means a scale of 1
    with whole(path) as unfinished:
        writer = gguf.GGUFWriter(unfinished, architecture_of(base))
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
        for name, module in names.items():
            added = additions[module]
            b = added.b if alphas[module] == alpha else added.b * (alphas[module] / alpha)
            writer.add_tensor(f"{name}.lora_a", np.ascontiguousarray(added.a.numpy()))
            writer.add_tensor(f"{name}.lora_b", np.ascontiguousarray(in_gguf_order(base, name, b.numpy())))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def _places(base: GgufFile, additions: Mapping[str, Addition]) -> dict[str, str]:
    """The base's tensors that are added to, in its order, to their modules."""
    modules = {
        name: hugging_face_name(name).removesuffix(".weight")
        for name in base.tensors
        if is_known(base, name) and name.endswith(".weight")
    }
    places = {name: module for name, module in modules.items() if module in additions}
    if missing := additions.keys() - places.values():
        raise ValueError(f"{base.path.name} has no {min(missing)}, to which the adapter adds something")
    for name, module in places.items():
        shape, added = base.tensors[name].shape[::-1], additions[module]
        if shape != (len(added.b), added.a.shape[1]):
            raise ValueError(
                f"{base.path.name}: {module} is {list(shape)}, the adapter's {[len(added.b), added.a.shape[1]]}"
            )
    return places
