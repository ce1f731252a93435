"""The routes of an Ollama server that are used here, each as one method."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from agent0es.errors import ModelNotFound
from agent0es.models.base import GenerationFailed, ModelUnavailable
from agent0es.models.http import Fault, HttpClient, Key, ServerFault, ServerRefused
from agent0es.models.http.asking import Reply
from agent0es.models.http.faults import error_in_stream
from agent0es.models.ollama.faults import remedy
from agent0es.models.ollama.options import OllamaOptions
from agent0es.models.ollama.wire import REPEATS, Chunk, Embedded, Progress, Show, Tags, Version, Wire, is_repeating

T = TypeVar("T", bound=Wire)
BROKE_OFF = "the answer ended without its last line"


class ModelMissing(ModelUnavailable, ModelNotFound):
    """The server doesn't have the model, or has it no more."""


class OllamaApi:
    """A server. Its errors are those of the port, and ModelMissing."""

    def __init__(self, address: str, key: Key, options: OllamaOptions) -> None:
        """Raises ConfigurationError for an address that is none, and for a key that is not there."""
        self._made_with = (address, key)
        self._options = options
        self._client = HttpClient("ollama", address, key, options, remedies=remedy)

    @asynccontextmanager
    async def for_a_user(self, tries: int = 1, **options: float) -> AsyncIterator["OllamaApi"]:
        """The same server, asked on connections of its own: somebody waits for it, and is to know at once where nobody
        is there. Raises ModelUnavailable in place of GenerationFailed."""
        api = OllamaApi(*self._made_with, self._options.model_copy(update={"tries": tries, **options}))
        try:
            yield api
        except GenerationFailed as failed:
            raise ModelUnavailable(str(failed)) from None
        finally:
            await api.close()

    async def version(self) -> str:
        return (await self._one(Version, "GET", "/api/version")).version

    async def tags(self) -> Tags:
        return await self._one(Tags, "GET", "/api/tags")

    async def show(self, model: str) -> Show:
        return await self._one(Show, "POST", "/api/show", {"model": model}, model)

    async def rendered(self, model: str, body: dict[str, Any]) -> str | None:
        """The prompt that the model would read; None where the server doesn't tell."""
        chunk = await self._one(Chunk, "POST", "/api/chat", body, model)
        return None if chunk.debug_info is None else chunk.debug_info.rendered_template

    async def chat(
        self, model: str, body: dict[str, Any], tokens: float, seen: Callable[[int], None]
    ) -> Reply[list[Chunk]]:
        """A whole answer, read as a stream; it takes so many tokens at most. `seen` is told how many of the prompt were
        read, and may raise ServerFault."""

        async def read(values: AsyncIterator[Any]) -> list[Chunk]:
            chunks = [line_of(Chunk, value) async for value in values]
            if chunks and chunks[-1].done:
                seen(chunks[-1].prompt_eval_count)
                return chunks
            if is_repeating(chunks):
                return [*chunks, Chunk(done=True, done_reason="length", eval_count=len(chunks))]
            raise ServerFault(Fault("cut off", BROKE_OFF))

        with _named(model):
            return await self._client.ask("POST", "/api/chat", body, read, form="ndjson", tokens=tokens, used=_used)

    async def stream(self, model: str, body: dict[str, Any], tokens: float) -> AsyncIterator[Chunk]:
        """An answer as it is written; it takes so many tokens at most. Raises GenerationFailed where it ends before its
        end."""
        chunks: list[Chunk] = []
        with _named(model):
            lines = self._client.stream(
                "/api/chat",
                body,
                lambda value: line_of(Chunk, value),
                form="ndjson",
                tokens=tokens,
                used=lambda: _used(chunks) if chunks and chunks[-1].done else tokens,
            )
            async with aclosing(lines):
                async for chunk in lines:
                    yield chunk
                    chunks = [*chunks[-REPEATS:], chunk]
        if not (chunks and chunks[-1].done) and not is_repeating(chunks):
            raise GenerationFailed(f"{self._client.where}: {BROKE_OFF}")

    async def embed(self, model: str, body: dict[str, Any]) -> Embedded:
        return await self._one(Embedded, "POST", "/api/embed", body, model)

    async def unload(self, model: str) -> None:
        """Free the memory that a model takes."""
        await self._one(Chunk, "POST", "/api/chat", {"model": model, "keep_alive": 0, "stream": False}, model)

    async def delete(self, model: str) -> None:
        with _named(model):
            await self._client.ask("DELETE", "/api/delete", {"model": model}, _nothing, form="text")

    async def pull(self, model: str, on_progress: Callable[[Progress], None]) -> None:
        """Fetch a model. A pull that broke off is taken up again where it was: the server keeps the parts."""
        await self._make("/api/pull", {}, model, on_progress)

    async def create(self, model: str, body: dict[str, Any]) -> None:
        await self._make("/api/create", body, model, lambda progress: None)

    async def upload(self, path: Path, sha256: str) -> None:
        """Have a file on the server. Nothing is sent twice."""
        blob = f"/api/blobs/sha256:{sha256}"
        try:
            await self._client.ask("HEAD", blob, None, _nothing, form="text")
        except ServerRefused as refused:
            if refused.fault.status != 404:
                raise
            await self._client.ask("POST", blob, path, _nothing, form="text")

    async def close(self) -> None:
        await self._client.close()

    async def _make(self, path: str, body: dict[str, Any], model: str, on_progress: Callable[[Progress], None]) -> None:
        """Follow what takes a while to its end."""

        async def read(values: AsyncIterator[Any]) -> None:
            status = ""
            async for value in values:
                progress = line_of(Progress, value)
                status = progress.status
                on_progress(progress)
            if status != "success":
                raise ServerFault(Fault("cut off", f"it broke off while it was {status or 'beginning'}"))

        with _named(model, "Ollama's library has no model {}; https://ollama.com/library lists them"):
            await self._client.ask("POST", path, {**body, "model": model, "stream": True}, read, form="ndjson")

    async def _one(
        self, kind: type[T], method: str, path: str, body: dict[str, Any] | None = None, model: str = ""
    ) -> T:
        async def read(values: AsyncIterator[Any]) -> T:
            async for value in values:
                return line_of(kind, value)
            raise ServerFault(Fault("unreadable", "an empty answer"))

        with _named(model):
            return (await self._client.ask(method, path, body, read, form="json")).value


def line_of(kind: type[T], value: Any) -> T:
    """A value that the server sent. Raises ServerFault for another, and for an error, which may be any line's place:
    the status was sent long before."""
    if isinstance(value, dict) and value.get("error"):
        fault = error_in_stream(value)
        missing = fault.words.endswith("file does not exist")  # what a pull of an unknown name ends with
        raise ServerFault(Fault("status", fault.words, 404) if missing else fault)
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "a line"
        raise ServerFault(Fault("unreadable", f"not what Ollama answers ({kind.__name__.lower()}: {where})")) from None


@contextmanager
def _named(model: str, missing: str = "Ollama has no model {0}: fetch it with `ollama pull {0}`") -> Iterator[None]:
    """A model that is not there, said so."""
    try:
        yield
    except ServerRefused as refused:
        said = refused.fault.words
        if refused.fault.status == 404 and ("not found" in said or "does not exist" in said) and "page" not in said:
            gone = ModelMissing(missing.format(model))
            gone.measured = refused.measured
            raise gone from None
        raise


def _used(chunks: list[Chunk]) -> float:
    """Tokens that a whole answer took."""
    return chunks[-1].prompt_eval_count + chunks[-1].eval_count


async def _nothing(values: AsyncIterator[Any]) -> None:
    """An answer without words."""
    async for _ in values:
        pass
