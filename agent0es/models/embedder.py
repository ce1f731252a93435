"""Sentence embeddings on a CPU: all-MiniLM-L6-v2, from the package that carries it."""

import asyncio
import hashlib
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent0es.models.embedding_cache import EmbeddingCache
from agent0es.models.weights import EMBEDDER_SHA256, embedder_dir

DIMENSION = 384
BATCH = 32
"""Texts that are embedded at once."""


class Embedder:
    """Texts to vectors. A text's vector is computed once and kept by its hash, in a file where there is one.

    The model is loaded at the first text (some seconds: it brings torch). Safe to use from many tasks; one thread at
    a time computes, and takes all that came while another did: a text in a batch costs a quarter of a text alone.
    The last bits of a vector depend on what it was batched with.
    """

    def __init__(self, file: Path | None = None) -> None:
        """`file` is where vectors are kept for other processes: `EMBEDDINGS_FILE` in the store."""
        self._model: Any = None
        self.loading = ""
        """What has to be done before the first text can be embedded, in words for a user."""
        self._kept = EmbeddingCache(file, DIMENSION)
        self._cache: dict[bytes, npt.NDArray[np.float32]] = {}
        self._wanted: dict[bytes, str] = {}
        self._lock = threading.Lock()

    async def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """L2-normalised vectors, shape (len(texts), 384). Raises ModelNotFound when the weights are missing."""
        keys = [key_of(text) for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._cache}
        if missing:
            self._wanted |= missing
            await asyncio.to_thread(self._fill)
        return np.stack([self._cache[key] for key in keys]) if keys else np.empty((0, DIMENSION), np.float32)

    def close(self) -> None:
        """Close the file. The next question opens it again."""
        with self._lock:
            self._kept.close()

    def _fill(self) -> None:
        """Compute all that is wanted now; nothing when another thread has just done so."""
        with self._lock:
            wanted = dict(self._wanted)
            if not wanted:
                return
            found = self._kept.get(wanted)
            missing = {key: text for key, text in wanted.items() if key not in found}
            if missing:
                if self._model is None:
                    self.loading = "loading the embedder of tasks"
                    try:
                        self._model = _load()
                    finally:
                        self.loading = ""
                vectors = self._model.encode(
                    list(missing.values()), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
                )
                made = dict(zip(missing, np.asarray(vectors, dtype=np.float32), strict=True))
                self._kept.put(made)
                found |= made
            self._cache.update(found)
            for key in wanted:
                del self._wanted[key]


def key_of(text: str) -> bytes:
    """What a text's vector is kept under: a hash of the model's weights and the text."""
    return hashlib.sha256(f"{EMBEDDER_SHA256} {text}".encode(errors="surrogatepass")).digest()


def _load() -> Any:
    folder = embedder_dir()
    # Read by the libraries when they are imported.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Where it is installed they import it, too, and it warns that it found no faster products than its own.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    # One thread: the texts are short, and the other cores generate.
    torch.set_num_threads(1)
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)
