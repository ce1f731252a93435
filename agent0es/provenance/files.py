"""Whether the files of an adapter are those that the log speaks of."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent0es.domain.adapter import Adapter
from agent0es.domain.names import in_store
from agent0es.errors import StoreError
from agent0es.projections.datasets import dataset_file

WEIGHTS = "adapter/adapter_model.safetensors"
MERGED = "merged.gguf"


@dataclass(frozen=True, slots=True)
class FileCheck:
    """One file of the store against its hash in the log."""

    file: str
    """Relative to the store."""
    recorded: str
    """sha256 in the log."""
    found: str | None
    """sha256 on disk; None when it can't be read."""
    verdict: Literal["same", "different", "missing", "unreadable"]


def check_files(store: Path, run: str, adapter: Adapter) -> list[FileCheck]:
    """The dataset, and the adapter's weights where it was trained. The adapter has a dataset."""
    assert adapter.dataset is not None
    expected = {str(dataset_file(Path(), run, adapter.dataset.adapter)): adapter.dataset.sha256}
    if adapter.trained is not None:
        expected[f"{adapter.trained.path}/{WEIGHTS}"] = adapter.trained.adapter_sha256
        expected[f"{adapter.trained.path}/{MERGED}"] = adapter.trained.merged_sha256
    return [_check(store, name, recorded) for name, recorded in expected.items()]


def _check(store: Path, name: str, recorded: str) -> FileCheck:
    try:
        with in_store(store, name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return FileCheck(name, recorded, None, "missing")
    except (OSError, ValueError, StoreError):  # a name that no file can have, or that leads out of the store
        return FileCheck(name, recorded, None, "unreadable")
    return FileCheck(name, recorded, found, "same" if found == recorded else "different")
