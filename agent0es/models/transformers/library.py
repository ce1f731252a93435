"""The models that transformers can be asked for by name: embedded ones, and those of the hub."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from agent0es.errors import ModelNotFound, StoreError
from agent0es.log.sqlite import explain_os_error
from agent0es.models.embedded import EmbeddedLibrary
from agent0es.models.http.keys import Key
from agent0es.models.library import ListedModel, OnProgress, ShownModel
from agent0es.models.transformers import fetched
from agent0es.models.transformers.source import find
from agent0es.models.weights import PUBLISHED


class TransformersLibrary(EmbeddedLibrary):
    """Lists the embedded ones, and what was fetched from the hub: nobody can list all that the hub has."""

    def __init__(self, cache: Path | None, key: Key) -> None:
        super().__init__(cache)
        self._key = key

    async def list(self) -> Sequence[ListedModel]:
        return [*await super().list(), *(one.listed for one in await asyncio.to_thread(fetched.models))]

    async def show(self, name: str) -> ShownModel:
        """An embedded model, one that was fetched, or the GGUF file at a path."""
        if (one := await asyncio.to_thread(fetched.model, name)) is not None:
            return ShownModel(one.listed, {"revision": one.revision, "path": str(one.folder)})
        return await super().show(name)

    async def pull(self, name: str, on_progress: OnProgress) -> None:
        """The hub's library shows bars of its own, and fetches nothing twice."""
        if name in PUBLISHED:
            await super().pull(name, on_progress)
        else:
            await asyncio.to_thread(find, name, self._cache, self._key.read())

    async def removable(self, name: str) -> None:
        if name in PUBLISHED:
            await super().removable(name)
        elif await asyncio.to_thread(fetched.model, name) is None:
            raise ModelNotFound(f"{name}: not fetched from the hub, so there is nothing to remove")

    async def remove(self, name: str) -> None:
        """Delete the joined file of an embedded model, or what was fetched from the hub."""
        await self.removable(name)
        if name in PUBLISHED:
            await super().remove(name)
            return
        try:
            await asyncio.to_thread(fetched.remove, name)
        except OSError as error:
            raise StoreError(explain_os_error(error, fetched.folder())) from None
