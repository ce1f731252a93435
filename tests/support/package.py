"""A third-party package, as pip would have installed it: modules, and metadata with entry points."""

from collections.abc import Mapping
from pathlib import Path

import pytest


def install(
    patch: pytest.MonkeyPatch,
    folder: Path,
    module: str,
    source: str,
    entry_points: Mapping[str, Mapping[str, str]],
    version: str = "1.2",
) -> None:
    """Put a package with one module where Python finds it. Entry points are group to name to what is in the module."""
    metadata = folder / f"{module}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: {version}\n")
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {module}:{what}" for name, what in names.items())])
        for group, names in entry_points.items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(groups) + "\n")
    (folder / f"{module}.py").write_text(source)
    patch.syspath_prepend(folder)
