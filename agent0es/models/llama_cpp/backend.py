"""The backend `llama-cpp`: any GGUF that llama.cpp reads, on a CPU, or a GPU if llama-cpp-python was built for it."""

import json
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path

from agent0es.errors import NotInstalled
from agent0es.models.artifacts import LORA_GGUF, MERGED
from agent0es.models.base import Capabilities, Deployment, Weights, file_of
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.embedded import EmbeddedLibrary
from agent0es.models.engine import Engine, Seat
from agent0es.models.engine_backend import EngineBackend, quantization, settings_of
from agent0es.models.gguf_file import GgufFile
from agent0es.models.library import ModelLibrary
from agent0es.models.llama_cpp.library import LlamaCppSettings
from agent0es.models.weights import find_weights


class LlamaCppBackend(EngineBackend):
    """Continuous batching, prefix cache, log-probabilities, JSON schema. An adapter is matrices beside the base (LoRA
    GGUF), or merged weights in a process of their own."""

    def __init__(self, weights: Weights, settings: LlamaCppSettings | None = None) -> None:
        """Nothing is loaded before the first request. Raises ModelNotFound for weights without a chat template."""
        file = GgufFile.open(weights.path)
        settings = settings or LlamaCppSettings()
        trained_for = file.metadata.get(f"{file.metadata.get('general.architecture')}.context_length", settings.context)
        self._settings = replace(settings, context=min(settings.context, trained_for))
        super().__init__(
            weights,
            ChatTemplate.of(file),
            f"{weights.name}:{quantization(file)}",
            Capabilities(
                logprobs=True,
                token_ids=True,
                structured_output=True,
                adapters=frozenset({"lora-gguf", "merged"}),
                context=self._settings.context,
            ),
            Engine(_seat(weights.path, self._settings, weights.sha256)),
        )

    @classmethod
    def create(cls, name: str, *, cache: Path | None = None, **options: object) -> "LlamaCppBackend":
        """`name` is an embedded model or the path of a GGUF; options are the fields of LlamaCppSettings.

        Raises ModelNotFound, NotInstalled, and ConfigurationError for an option that is unknown or out of range.
        """
        if find_spec("llama_cpp") is None:
            raise NotInstalled(
                "llama-cpp: the package llama-cpp-python is missing; pip install '.[llama-cpp]' in a checkout of "
                "agent0es (it is built on your machine: a C++ compiler, and ten minutes)"
            )
        return cls(find_weights(name, cache), settings_of(LlamaCppSettings, "llama-cpp", options))

    @classmethod
    def library(cls, *, cache: Path | None = None, **options: object) -> ModelLibrary:
        """The models whose weights come with packages."""
        return EmbeddedLibrary(cache)

    async def deploy(self, deployment: Deployment) -> None:
        """Raises WrongWeights when a file is missing or changed, and ModelNotFound when llama.cpp does not take it."""
        name, artifacts = deployment.name, deployment.artifacts
        async with self._deploying:
            if name in self._deployed or name in self._base.adapters:
                return
            if file_of(deployment, "llama-cpp", ("lora-gguf", "merged")) == LORA_GGUF:
                await self._base.deploy(name, artifacts)
            else:
                await self._serve_merged(name, Engine(_seat(artifacts.merged, self._settings, artifacts.files[MERGED])))


def _seat(gguf: Path, settings: LlamaCppSettings, sha256: str) -> Seat:
    return Seat(
        name=gguf.name,
        module="agent0es.models.llama_cpp.process",
        arguments=(str(gguf), sha256, json.dumps(asdict(settings))),
        weights=gguf,
    )
