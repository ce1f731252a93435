"""What a model's name means to the backend `transformers`: where its files lie, and what they say of it."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from agent0es.errors import ModelNotFound
from agent0es.models.base import Weights
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.folder_template import read_json
from agent0es.models.gguf_file import GgufFile
from agent0es.models.hugging_face_folder import why_not_exported
from agent0es.models.made_once import sha256_of
from agent0es.models.weights import PUBLISHED, find_weights

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(?:@[\w./-]+)?")
"""`organisation/model`, perhaps with `@revision`."""
_WANTED = ("*.json", "*.safetensors", "*.jinja", "*.txt", "tokenizer.model", "*.tiktoken")
"""Of a hub's repository. Weights as pickles are programs, and are not fetched."""
_UNWANTED = ("*/*", "consolidated*.safetensors")


@dataclass(frozen=True, slots=True)
class Source:
    """A model's files, found and hashed."""

    weights: Weights
    """A GGUF, or a Hugging Face folder, whose hash is that of its files' hashes."""
    template: ChatTemplate
    trained_for: int | None
    """Longest text that the model was trained on, in tokens; None where its files don't say."""

    @property
    def is_gguf(self) -> bool:
        return self.weights.path.is_file()


def find(name: str, cache: Path | None, token: str | None = None) -> Source:
    """`name` is an embedded model, the path of a GGUF or of a folder, or a name on the hub, from which it is fetched
    where it isn't there yet. `token` is the hub's key. Raises ModelNotFound."""
    path = Path(name).expanduser()
    if name in PUBLISHED or path.suffix == ".gguf":
        return _of_gguf(find_weights(name, cache))
    if path.is_dir():
        return _of_folder(path.name or path.resolve().name, path.resolve())
    if _HUB_NAME.fullmatch(name):
        return _of_folder(name, _from_hub(name, token))
    raise ModelNotFound(
        f"{name}: no such model; choose {', '.join(PUBLISHED)}, the path of a folder or a .gguf file, or a name on the "
        "hub such as organisation/model"
    )


def find_folder(name: str, cache: Path | None) -> Weights:
    """The weights in the Hugging Face folder of this path. Raises ModelNotFound."""
    return find(name, cache).weights


def sha256_of_folder(folder: Path) -> str:
    """One hash for what decides the model's answers: its configuration, tokenizer and weights. Raises OSError."""
    files = sorted(file for ending in _WANTED for file in folder.glob(ending))
    lines = "".join(f"{sha256_of(file)}  {file.name}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def _of_gguf(weights: Weights) -> Source:
    file = GgufFile.open(weights.path)
    if why := why_not_exported(file):
        raise ModelNotFound(f"{why}; the backend transformers reads it from a Hugging Face folder")
    architecture = file.metadata["general.architecture"]
    return Source(weights, ChatTemplate.of(file), file.metadata.get(f"{architecture}.context_length"))


def _of_folder(name: str, folder: Path) -> Source:
    if not (config := read_json(folder / "config.json")):
        raise ModelNotFound(f"{folder}: it is no Hugging Face folder: it has no config.json")
    if not any(folder.glob("*.safetensors")):
        raise ModelNotFound(
            f"{folder}: it holds no weights as .safetensors; weights as pickles (.bin, .pt) are programs and are not "
            "loaded: convert them first"
        )
    text = config.get("text_config")
    said = text if isinstance(text, dict) else config
    longest = said.get("max_position_embeddings", said.get("n_positions"))
    template = ChatTemplate.of_folder(folder)
    try:
        weights = Weights(name, folder, sha256_of_folder(folder))
    except OSError as error:
        raise ModelNotFound(f"{folder}: can't be read: {error.strerror or error}") from None
    return Source(weights, template, longest if isinstance(longest, int) and longest > 0 else None)


def _from_hub(name: str, token: str | None) -> Path:
    """The folder of a hub's model, fetched with a progress bar where it isn't there."""
    from httpx2 import HTTPError
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    repository, _, revision = name.partition("@")
    try:
        folder = snapshot_download(
            repository,
            revision=revision or None,
            token=token,
            allow_patterns=list(_WANTED),
            ignore_patterns=list(_UNWANTED),
        )
        return Path(folder)
    except GatedRepoError:
        why = "its authors must let you in first, and api_key_env must name the variable that holds your token"
    except RepositoryNotFoundError:
        why = "the hub has no such model, or none that you may see"
    except RevisionNotFoundError:
        why = f"it has no revision {revision}"
    except (HfHubHTTPError, HTTPError, OSError, ValueError) as error:
        offline = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0")
        reason = "HF_HUB_OFFLINE is set" if offline else _words(error)
        why = f"it isn't on this machine, and the hub can't be reached ({reason}); fetch it where there is a network"
    raise ModelNotFound(f"{name}: {why}")


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
