"""The models of the hub that are on this machine, in the folder that all programs share (`HF_HOME`)."""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent0es.errors import ModelNotFound
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.folder_template import read_json
from agent0es.models.library import ListedModel

if TYPE_CHECKING:
    from huggingface_hub import CachedRepoInfo, CachedRevisionInfo, HFCacheInfo

INDEX = "model.safetensors.index.json"
"""Names the files of weights that come in several."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model at one revision."""

    listed: ListedModel
    revision: str
    """Its commit."""
    folder: Path
    others: frozenset[str]
    """Names by which it could be asked for as well."""


def models() -> list[Fetched]:
    """Those that this backend can be asked: with weights as .safetensors and a chat template."""
    return sorted(_fetched(), key=lambda one: one.listed.name)


def model(name: str) -> Fetched | None:
    """The one of this name, perhaps with a branch, tag or commit of it; None where it isn't here."""
    return next((one for one in _fetched() if name in (one.listed.name, *one.others)), None)


def remove(name: str) -> None:
    """Delete one that is here. Files that another revision has, too, stay. Raises OSError."""
    one, cache = model(name), _cache()
    if one is not None and cache is not None:
        with _quiet():
            cache.delete_revisions(one.revision).execute()
        if one.folder.exists():  # the library says that in its log alone
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the stacks that the library logs."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def folder() -> Path:
    """Where they lie."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _cache() -> "HFCacheInfo | None":
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        return scan_cache_dir(folder())
    except CacheNotFound:  # nothing was ever fetched
        return None


def _fetched() -> Iterator[Fetched]:
    cache = _cache()
    for repository in cache.repos if cache is not None else ():
        if repository.repo_type == "model":
            for revision in repository.revisions:
                if (one := _of(repository, revision)) is not None:
                    yield one


def _of(repository: "CachedRepoInfo", revision: "CachedRevisionInfo") -> Fetched | None:
    at = revision.snapshot_path
    try:
        config, index = read_json(at / "config.json"), read_json(at / INDEX)
        if not config or not any(at.glob("*.safetensors")):
            return None
        ChatTemplate.of_folder(at)
    except ModelNotFound:  # it makes vectors, or goes on with texts, or is broken: it can't be asked
        return None
    name = min(revision.refs, default=revision.commit_hash)
    parts = index.get("weight_map")
    context = config.get("max_position_embeddings")
    listed = ListedModel(
        repository.repo_id if "main" in revision.refs else f"{repository.repo_id}@{name}",
        revision.size_on_disk,
        context if isinstance(context, int) else None,
        here=not isinstance(parts, dict) or all((at / str(part)).exists() for part in set(map(str, parts.values()))),
        detail=str(config.get("model_type", "")),
    )
    others = frozenset(f"{repository.repo_id}@{one}" for one in (*revision.refs, revision.commit_hash))
    return Fetched(listed, revision.commit_hash, at, others)
