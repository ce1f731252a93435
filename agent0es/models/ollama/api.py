"""The routes of an Ollama server that are used here, each as one method."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from agent0es.models.base import GenerationFailed, ModelUnavailable
from agent0es.models.ollama.faults import fault_of, nobody_there
from agent0es.models.ollama.wire import Chunk, Embedded, Failed, Progress, Show, Tags, Version, Wire

T = TypeVar("T", bound=Wire)
PIECE = 1 << 20
"""Bytes of an upload that are read at once."""


class OllamaApi:
    """A server, by its address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._client: httpx.AsyncClient | None = None

    async def version(self) -> str:
        return self._read(Version, await self._asked("GET", "/api/version")).version

    async def tags(self) -> Tags:
        return self._read(Tags, await self._asked("GET", "/api/tags"))

    async def show(self, model: str) -> Show:
        return self._read(Show, await self._asked("POST", "/api/show", model, {"model": model}))

    async def rendered(self, model: str, body: dict[str, Any]) -> str | None:
        """The prompt that the model would read; None where the server doesn't tell."""
        chunk = self._read(Chunk, await self._asked("POST", "/api/chat", model, body))
        return None if chunk.debug_info is None else chunk.debug_info.rendered_template

    async def chat(self, model: str, body: dict[str, Any], context: int | None = None) -> AsyncIterator[Chunk]:
        """An answer as it is written; the last part is `done`. Raises GenerationFailed where there is no such part."""
        done = False
        async for chunk in self._lines(Chunk, "/api/chat", model, body, context):
            yield chunk
            done = done or chunk.done
        if not done:
            raise GenerationFailed(f"Ollama's answer of {model} broke off before its end")

    async def embed(self, model: str, body: dict[str, Any], context: int | None = None) -> Embedded:
        return self._read(Embedded, await self._asked("POST", "/api/embed", model, body, context))

    async def unload(self, model: str) -> None:
        await self._asked(
            "POST", "/api/chat", model, {"model": model, "messages": [], "keep_alive": 0, "stream": False}
        )

    async def delete(self, model: str) -> None:
        await self._asked("DELETE", "/api/delete", model, {"model": model})

    async def pull(self, model: str) -> AsyncIterator[Progress]:
        async for progress in self._lines(Progress, "/api/pull", model, {"model": model, "stream": True}):
            yield progress

    async def create(self, model: str, body: dict[str, Any]) -> None:
        """Raises GenerationFailed unless the server says that it succeeded."""
        status = ""
        async for progress in self._lines(Progress, "/api/create", model, {**body, "model": model, "stream": True}):
            status = progress.status
        if status != "success":
            raise GenerationFailed(f"Ollama broke off while it made {model}: {status or 'no answer'}")

    async def upload(self, path: Path, sha256: str, model: str) -> None:
        """Have a file on the server. Nothing is sent twice."""
        async with self._response("HEAD", f"/api/blobs/sha256:{sha256}", model) as response:
            if response.status_code == 200:
                return
        content = _pieces(path)
        async with self._response("POST", f"/api/blobs/sha256:{sha256}", model, content=content) as response:
            await self._checked(response, model)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _asked(
        self, method: str, path: str, model: str = "", body: dict[str, Any] | None = None, context: int | None = None
    ) -> bytes:
        async with self._response(method, path, model, json=body) as response:
            await self._checked(response, model, context)
            return await response.aread()

    async def _lines(
        self, kind: type[T], path: str, model: str, body: dict[str, Any], context: int | None = None
    ) -> AsyncIterator[T]:
        """Each line as it comes. An error may be a line, too: the status was sent long before."""
        async with self._response("POST", path, model, json=body) as response:
            await self._checked(response, model, context)
            async for line in response.aiter_lines():
                if not line:
                    continue
                failed = self._read(Failed, line).error
                if failed is not None:
                    raise fault_of(None, failed, model, context)
                yield self._read(kind, line)

    @asynccontextmanager
    async def _response(self, method: str, path: str, model: str, **content: Any) -> AsyncIterator[httpx.Response]:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=httpx.Timeout(600, connect=10))
        try:
            async with self._client.stream(method, self.address + path, **content) as response:
                yield response
        except httpx.ConnectError:
            raise ModelUnavailable(nobody_there(self.address)) from None
        except httpx.HTTPError as error:
            raise GenerationFailed(f"Ollama at {self.address} broke off: {type(error).__name__}") from None

    async def _checked(self, response: httpx.Response, model: str, context: int | None = None) -> None:
        if response.status_code >= 400:
            said = (await response.aread()).decode(errors="replace")
            raise fault_of(response.status_code, said, model, context)

    def _read(self, kind: type[T], data: bytes | str) -> T:
        """A value that the server sent. Raises GenerationFailed for another."""
        try:
            return kind.model_validate_json(data)
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"])) or "its JSON"
            raise GenerationFailed(
                f"what answers at {self.address} is no Ollama, or broken: {kind.__name__}, {where}"
            ) from None


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
