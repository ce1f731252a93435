"""What the backends have in common whose engines are processes of ours: the port on one side, engines on the other."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from agent0es.errors import ConfigurationError
from agent0es.models.base import Capabilities, Completion, GenerationRequest, Health, Weights, not_deployed
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.engine import Engine, EngineSettings
from agent0es.models.engine_messages import EngineRequest
from agent0es.models.engine_terms import completion, in_its_terms
from agent0es.models.gguf_file import GgufFile

Settings = TypeVar("Settings", bound=EngineSettings)


class EngineBackend:
    """The model's own chat template, an engine for the base and the adapters beside it, and one for each adapter that
    is merged weights."""

    prefix_cache = True
    """Its engines have an option of this name."""

    def __init__(
        self, weights: Weights, template: ChatTemplate, name: str, capabilities: Capabilities, base: Engine
    ) -> None:
        self.weights: Weights | None = weights
        self.capabilities = capabilities
        self.template = template
        self._path = weights.path
        self._name = name
        self._base = base
        self._deployed: dict[str, Engine] = {}
        self._deploying = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._name

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        engine = self._engine(adapter)
        asked = [self._asked(request, adapter) for request in requests]
        await self._prepare(engine, requests)
        futures = [engine.submit(request) for request in asked]
        try:
            answers = zip(requests, await asyncio.gather(*futures), strict=True)
            return [completion(answer, request, self.template, self._name, adapter) for request, answer in answers]
        finally:
            for future in futures:
                future.cancel()

    async def stream(self, request: GenerationRequest, adapter: str | None = None) -> AsyncIterator[str]:
        async for piece in self._engine(adapter).stream(self._asked(request, adapter)):
            yield piece

    async def health(self) -> Health:
        engines = {"base": self._base, **self._deployed}
        extra = {name: {"loaded": engine.loaded, "in_flight": engine.in_flight} for name, engine in engines.items()}
        detail = "loaded" if self._base.loaded else "will load at the first request"
        loading = next(filter(None, (engine.loading for engine in engines.values())), "")
        return Health(ok=self._path.exists(), detail=f"{self.name}: {detail}", loading=loading, extra=extra)

    async def retire(self, name: str) -> None:
        async with self._deploying:
            self._base.retire(name)
            engine = self._deployed.pop(name, None)
            if engine is not None:
                await asyncio.to_thread(engine.close)

    async def rest(self) -> None:
        """As `Rests` says."""
        for engine in (self._base, *self._deployed.values()):
            await asyncio.to_thread(engine.rest)

    async def close(self) -> None:
        """End all engines; requests in flight fail."""
        engines = [self._base, *self._deployed.values()]
        self._deployed = {}
        for engine in engines:
            await asyncio.to_thread(engine.close)

    async def _prepare(self, engine: Engine, requests: Sequence[GenerationRequest]) -> None:
        """What is to happen before the requests are handed in."""

    async def _serve_merged(self, name: str, engine: Engine) -> None:
        """Load an adapter's merged weights, which answer from now on. Raises what `Engine.open` raises."""
        try:
            await engine.open()
        except BaseException:
            await asyncio.to_thread(engine.close)
            raise
        self._deployed[name] = engine

    def _asked(self, request: GenerationRequest, adapter: str | None) -> EngineRequest:
        """Raises RequestRefused where the chat template refuses the messages."""
        return replace(in_its_terms(request, self.template), adapter=adapter)

    def _engine(self, adapter: str | None) -> Engine:
        if adapter is None or adapter in self._base.adapters:
            return self._base
        if adapter not in self._deployed:
            raise not_deployed(adapter, [*self._base.adapters, *self._deployed])
        return self._deployed[adapter]


def settings_of(kind: type[Settings], backend: str, options: Mapping[str, Any]) -> Settings:
    """The options of a backend as its settings. Raises ConfigurationError for one that is unknown or out of range."""
    known = {field.name: field for field in fields(kind)}
    for option, value in options.items():
        if option not in known:
            raise ConfigurationError(f"{backend}: unknown option {option}; there are: {', '.join(known)}")
        if isinstance(known[option].default, bool):
            if not isinstance(value, bool):
                raise ConfigurationError(f"{backend}: {option} must be true or false, not {value!r}")
            continue
        lowest, highest = (
            known[option].metadata.get(bound, usual) for bound, usual in (("lowest", 1), ("highest", None))
        )
        if not isinstance(value, int) or isinstance(value, bool) or value < lowest or value > (highest or value):
            bounds = f"{lowest} up" if highest is None else f"{lowest} to {highest}"
            raise ConfigurationError(f"{backend}: {option} must be a whole number from {bounds}, not {value!r}")
    return kind(**options)


def quantization(file: GgufFile) -> str:
    """The quantization of most of a file's matrices, e.g. `Q4_1`."""
    import gguf

    kinds = [tensor.type for tensor in file.tensors.values() if len(tensor.shape) > 1]
    return gguf.GGMLQuantizationType(max(set(kinds), key=kinds.count)).name
