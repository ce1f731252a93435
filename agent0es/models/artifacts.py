"""What files a trained adapter consists of: their names, their hashes, and whether they are still what they were.

A trainer leaves them in one folder and measures them. The manifest, path to sha256, is what `AdapterTrained` keeps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent0es.models.made_once import sha256_of

Form = Literal["peft", "merged", "lora-gguf"]
"""How an adapter is loaded: as matrices beside its base, in PEFT's format or as GGUF, or merged into it as one GGUF."""
FORMS: frozenset[Form] = frozenset({"peft", "merged", "lora-gguf"})

PEFT = "adapter"
"""PEFT's folder."""
CONFIG = f"{PEFT}/adapter_config.json"
WEIGHTS = f"{PEFT}/adapter_model.safetensors"
MERGED = "merged.gguf"
"""Base and adapter in one file."""
LORA_GGUF = "lora.gguf"
"""The adapter's matrices as llama.cpp takes them."""
FILES: Mapping[Form, str] = {"peft": WEIGHTS, "merged": MERGED, "lora-gguf": LORA_GGUF}
"""The file with the weights of each form."""
DERIVED = frozenset({MERGED, LORA_GGUF})
"""What can be made again from PEFT's folder and the base. An adapter of an older log may lack one."""

Verdict = Literal["same", "different", "missing", "unreadable"]


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The files of an adapter."""

    folder: Path
    files: Mapping[str, str]
    """Path in the folder to sha256."""

    @classmethod
    def measure(cls, folder: Path) -> "Artifacts":
        """What lies there now. Raises OSError."""
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return cls(folder, {path.relative_to(folder).as_posix(): sha256_of(path) for path in paths})

    @property
    def forms(self) -> frozenset[Form]:
        """In which it can be loaded."""
        return frozenset(form for form, file in FILES.items() if file in self.files)

    @property
    def peft(self) -> Path:
        """PEFT's folder."""
        return self.folder / PEFT

    @property
    def merged(self) -> Path:
        """The merged GGUF."""
        return self.folder / MERGED

    @property
    def lora_gguf(self) -> Path:
        """The matrices as GGUF."""
        return self.folder / LORA_GGUF


def compare(path: Path, recorded: str) -> tuple[Verdict, str | None]:
    """A file against the hash that it should have, and the one that it has; None when it can't be read."""
    try:
        found = sha256_of(path)
    except FileNotFoundError:
        return "missing", None
    except (OSError, ValueError):  # a name that no file can have
        return "unreadable", None
    return ("same" if found == recorded else "different"), found


def why_wrong(path: Path, recorded: str) -> str | None:
    """Why a file is not the one with this hash, in words that begin with its path; None where it is."""
    verdict, found = compare(path, recorded)
    if verdict == "same":
        return None
    return f"{path} is {verdict}" if found is None else f"{path}: its sha256 is {found}, but should be {recorded}"
