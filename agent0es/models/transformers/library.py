"""The models that transformers can be asked for by name: embedded ones, and those of the hub."""

import asyncio
from pathlib import Path

from agent0es.models.embedded import EmbeddedLibrary
from agent0es.models.http.keys import Key
from agent0es.models.library import OnProgress
from agent0es.models.transformers.source import find
from agent0es.models.weights import PUBLISHED


class TransformersLibrary(EmbeddedLibrary):
    """Lists the embedded ones: nobody can list the hub."""

    def __init__(self, cache: Path | None, key: Key) -> None:
        super().__init__(cache)
        self._key = key

    async def pull(self, name: str, on_progress: OnProgress) -> None:
        """The hub's library shows bars of its own, and fetches nothing twice."""
        if name in PUBLISHED:
            await super().pull(name, on_progress)
        else:
            await asyncio.to_thread(find, name, self._cache, self._key.read())
