"""The backend that runs any model of Hugging Face in this machine's memory, and answers with adapters as PEFT has them.

One process holds the base and everything that is deployed beside it; requests of different adapters are written in one
batch.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from agent0es.errors import ModelNotFound
from agent0es.models.base import Capabilities, Completion, Deployment, GenerationRequest, Health, Weights
from agent0es.models.engine import Engine, Seat
from agent0es.models.engine_messages import EngineRequest
from agent0es.models.engine_terms import completion, in_its_terms
from agent0es.models.http.keys import Key
from agent0es.models.transformers.settings import Settings, read_settings
from agent0es.models.transformers.source import Source, find


class TransformersBackend:
    """Batches that others join, log-probabilities, structured output, adapters hot."""

    def __init__(self, source: Source, settings: Settings, cache: Path) -> None:
        """Nothing is loaded before the first request. In `cache` a GGUF becomes a Hugging Face folder."""
        context = min(settings.context, source.trained_for or settings.context)
        settings = replace(settings, context=context)
        self.weights: Weights = source.weights
        self.template = source.template
        self.capabilities = Capabilities(
            logprobs=True, structured_output=True, adapters=frozenset({"peft"}), context=context
        )
        precision = settings.quantize or (settings.dtype if settings.dtype != "auto" else "")
        self.name = f"{source.weights.name}:{precision}" if precision else source.weights.name
        self._engine = Engine(_seat(source, settings, cache))
        self._deploying = asyncio.Lock()

    @classmethod
    def create(
        cls, name: str, *, cache: Path | None = None, api_key_env: str | None = None, **options: Any
    ) -> "TransformersBackend":
        """`name` is an embedded model, the path of a folder or a GGUF, or a name on the hub, from which it is fetched
        now where it isn't on this machine; `api_key_env` names the variable that holds the hub's token. Options are
        those of `settings.Settings`.

        Raises ModelNotFound, and ConfigurationError for an option that is unknown or out of range.
        """
        settings = read_settings(options)
        source = find(name, cache, Key(api_key_env).read())
        if cache is None and source.is_gguf:
            raise ModelNotFound(f"{source.weights.path}: transformers needs a folder in which to unpack it")
        return cls(source, settings, cache or Path())

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        asked = [self._asked(request, adapter) for request in requests]
        futures = [self._engine.submit(request) for request in asked]
        try:
            answers = zip(requests, await asyncio.gather(*futures), strict=True)
            return [completion(answer, request, self.template, self.name, adapter) for request, answer in answers]
        finally:
            for future in futures:
                future.cancel()

    async def stream(self, request: GenerationRequest, adapter: str | None = None) -> AsyncIterator[str]:
        async for piece in self._engine.stream(self._asked(request, adapter)):
            yield piece

    async def health(self) -> Health:
        engine = self._engine
        detail = "loaded" if engine.loaded else "will load at the first request"
        extra = {"in_flight": engine.in_flight, "adapters": sorted(engine.adapters)}
        there = self.weights.path.exists()
        return Health(ok=there, detail=f"{self.name}: {detail}", loading=engine.loading, extra=extra)

    async def deploy(self, deployment: Deployment) -> None:
        """Load an adapter beside the base. Raises WrongWeights when a file is missing or changed, and ModelNotFound
        when it is no LoRA adapter of this base."""
        async with self._deploying:
            if deployment.name in self._engine.adapters:
                return
            if "peft" not in deployment.artifacts.forms:
                raise ModelNotFound(
                    f"adapter {deployment.name}: transformers needs it in PEFT's format, and there is none"
                )
            await self._engine.deploy(deployment.name, deployment.artifacts)

    async def retire(self, name: str) -> None:
        async with self._deploying:
            self._engine.retire(name)

    async def close(self) -> None:
        """End the process; requests in flight fail."""
        await asyncio.to_thread(self._engine.close)

    def _asked(self, request: GenerationRequest, adapter: str | None) -> EngineRequest:
        """Raises ModelNotFound for an adapter that is not deployed, RequestRefused for messages that the chat template
        refuses."""
        if adapter is not None and adapter not in self._engine.adapters:
            deployed = ", ".join(self._engine.adapters) or "none"
            raise ModelNotFound(f"adapter {adapter} is not deployed; deployed: {deployed}")
        shared = self.template.beginning(request.messages[: request.shared])
        return replace(in_its_terms(request, self.template), shared=shared, adapter=adapter)


def _seat(source: Source, settings: Settings, cache: Path) -> Seat:
    weights = source.weights
    made = cache / weights.sha256[:16]
    return Seat(
        name=weights.name,
        module="agent0es.models.transformers.process",
        arguments=(
            *(str(weights.path), weights.sha256, str(cache)),
            *(json.dumps(asdict(settings)), source.template.end_of_turn),
        ),
        weights=weights.path,
        made=(made, "unpacking the weights") if source.is_gguf else None,
    )
