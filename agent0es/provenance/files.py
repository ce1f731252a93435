"""Whether the files of an adapter are those that the log speaks of."""

from dataclasses import dataclass
from pathlib import Path

from agent0es.domain.adapter import Adapter
from agent0es.domain.names import in_store
from agent0es.errors import StoreError
from agent0es.models.artifacts import Verdict, compare
from agent0es.projections.datasets import dataset_file


@dataclass(frozen=True, slots=True)
class FileCheck:
    """One file of the store against its hash in the log."""

    file: str
    """Relative to the store."""
    recorded: str
    """sha256 in the log."""
    found: str | None
    """sha256 on disk; None when it can't be read."""
    verdict: Verdict


def check_files(store: Path, run: str, adapter: Adapter) -> list[FileCheck]:
    """The dataset, and the adapter's files where it was trained. The adapter has a dataset."""
    assert adapter.dataset is not None
    expected = {str(dataset_file(Path(), run, adapter.dataset.adapter)): adapter.dataset.sha256}
    if (trained := adapter.trained) is not None:
        expected |= {f"{trained.path}/{name}": sha256 for name, sha256 in trained.files.items()}
    return [_check(store, name, recorded) for name, recorded in expected.items()]


def _check(store: Path, name: str, recorded: str) -> FileCheck:
    try:
        verdict, found = compare(in_store(store, name), recorded)
    except StoreError:  # a name that leads out of the store
        return FileCheck(name, recorded, None, "unreadable")
    return FileCheck(name, recorded, found, verdict)
