"""The backend that runs any model of Hugging Face in this machine's memory, and answers with adapters as PEFT has them.

One process holds the base and everything that is deployed beside it; requests of different adapters are written in one
batch.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from agent0es.errors import ModelNotFound
from agent0es.models.base import Capabilities, Deployment, GenerationRequest, file_of
from agent0es.models.engine import Engine, Seat
from agent0es.models.engine_backend import EngineBackend
from agent0es.models.engine_messages import EngineRequest
from agent0es.models.http.keys import Key
from agent0es.models.transformers.library import TransformersLibrary
from agent0es.models.transformers.settings import Settings, read_settings
from agent0es.models.transformers.source import Source, find


class TransformersBackend(EngineBackend):
    """Batches that others join, log-probabilities, structured output, adapters hot."""

    def __init__(self, source: Source, settings: Settings, cache: Path) -> None:
        """Nothing is loaded before the first request. In `cache` a GGUF becomes a Hugging Face folder."""
        context = min(settings.context, source.trained_for or settings.context)
        precision = settings.quantize or (settings.dtype if settings.dtype != "auto" else "")
        super().__init__(
            source.weights,
            source.template,
            f"{source.weights.name}:{precision}" if precision else source.weights.name,
            Capabilities(
                logprobs=True,
                token_ids=True,
                structured_output=True,
                adapters=frozenset({"peft"}),
                context=context,
            ),
            Engine(_seat(source, replace(settings, context=context), cache)),
        )

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

    @classmethod
    def library(
        cls, *, cache: Path | None = None, api_key_env: str | None = None, **options: Any
    ) -> TransformersLibrary:
        """The models whose weights come with packages, and those of the hub."""
        return TransformersLibrary(cache, Key(api_key_env))

    async def deploy(self, deployment: Deployment) -> None:
        """Load an adapter beside the base. Raises WrongWeights when a file is missing or changed, and ModelNotFound
        when it is no LoRA adapter of this base."""
        async with self._deploying:
            if deployment.name in self._base.adapters:
                return
            file_of(deployment, "transformers", ("peft",))
            await self._base.deploy(deployment.name, deployment.artifacts)

    def _asked(self, request: GenerationRequest, adapter: str | None) -> EngineRequest:
        shared = self.template.beginning(request.messages[: request.shared])
        return replace(super()._asked(request, adapter), shared=shared)


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
