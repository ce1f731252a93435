"""A llama-server in router mode, which starts a server for each model: how one is loaded."""

import asyncio
import time

from agent0es.models.base import ModelUnavailable, RequestRefused
from agent0es.models.http import HttpClient
from agent0es.models.openai_compatible.wire import Wire, checked

LOOK_SECONDS = 0.5
LOAD_SECONDS = 600
"""A model that is not loaded after so long never will be."""


class _Status(Wire):
    value: str = ""
    failed: bool = False


class _Model(Wire):
    id: str
    status: _Status = _Status()


class _Models(Wire):
    data: tuple[_Model, ...] = ()


class CouldNotLoad(ModelUnavailable):
    """The server tried, and it did not work."""


async def load(client: HttpClient, name: str) -> None:
    """Have a model loaded, and wait until it is. Nothing happens to one that is.

    Raises CouldNotLoad, RequestRefused where the server does not take the name, and as `HttpClient.ask` does.
    """
    try:
        await client.post("/models/load", {"model": name})
    except RequestRefused as refused:
        if "already" not in str(refused):
            raise
    until = time.monotonic() + LOAD_SECONDS
    while time.monotonic() < until:
        models = checked(client.where, _Models, await client.get("/models")).data
        status = next((model.status for model in models if model.id == name), _Status(failed=True))
        if status.failed:
            break
        if status.value in ("loaded", "sleeping"):
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise CouldNotLoad(f"{client.where}: it could not load {name}; its own output says why")
