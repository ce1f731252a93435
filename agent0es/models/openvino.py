"""The embedded backend: GGUF weights on a CPU through OpenVINO GenAI. No server, no compiler, no torch.

Each set of weights has an engine, a process of its own: the base, and one for every deployed adapter, merged into
the base and written as GGUF. They answer side by side.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from agent0es.errors import ModelNotFound
from agent0es.models.base import Capabilities, Deployment, GenerationRequest, Weights, file_of
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.embedded import EmbeddedLibrary
from agent0es.models.engine import Engine, EngineSettings, Seat
from agent0es.models.engine_backend import EngineBackend, quantization, settings_of
from agent0es.models.engine_messages import EngineRequest
from agent0es.models.gguf_file import GgufFile
from agent0es.models.gguf_writer import is_approximated
from agent0es.models.library import ModelLibrary
from agent0es.models.weights import find_weights

ARCHITECTURES = ("llama", "qwen2", "qwen3")
"""Of GGUF files, those that OpenVINO GenAI makes a graph of."""
SHORTEST_PREFIX = 200
"""Characters; what is shorter is not worth a request of its own."""


class OpenVinoBackend(EngineBackend):
    """Continuous batching, prefix cache, log-probabilities, structured output; adapters as merged weights."""

    def __init__(self, weights: Weights, settings: EngineSettings | None = None, cache: Path | None = None) -> None:
        """Nothing is loaded before the first request. In `cache` goes a copy of weights that need another form.

        Raises ModelNotFound for weights without a chat template or of an architecture that OpenVINO doesn't read.
        """
        file = GgufFile.open(weights.path)
        architecture = file.metadata.get("general.architecture")
        if architecture not in ARCHITECTURES:
            raise ModelNotFound(
                f"{weights.path}: OpenVINO reads a GGUF of the architecture {' or '.join(ARCHITECTURES)}, this is "
                f"{architecture}"
            )
        settings = settings or EngineSettings()
        trained_for = file.metadata.get(f"{architecture}.context_length", settings.context)
        self._settings = replace(settings, context=min(settings.context, trained_for))
        served = cache / f"{weights.sha256[:16]}-q8_0.gguf" if cache and is_approximated(file) else None
        super().__init__(
            weights,
            ChatTemplate.of(file),
            f"{weights.name}:{'Q8_0' if served else quantization(file)}",
            Capabilities(
                logprobs=True,
                token_ids=True,
                structured_output=True,
                adapters=frozenset({"merged"}),
                context=self._settings.context,
            ),
            Engine(seat(weights.path, self._settings, served, weights.sha256)),
        )

    @classmethod
    def create(cls, name: str, *, cache: Path | None = None, **options: object) -> "OpenVinoBackend":
        """`name` is an embedded model or the path of a GGUF; options are the fields of EngineSettings.

        Raises ModelNotFound, and ConfigurationError for an option that is unknown or out of range.
        """
        return cls(find_weights(name, cache), settings_of(EngineSettings, "openvino", options), cache)

    @classmethod
    def library(cls, *, cache: Path | None = None, **options: object) -> ModelLibrary:
        """The models whose weights come with packages."""
        return EmbeddedLibrary(cache)

    async def _prepare(self, engine: Engine, requests: Sequence[GenerationRequest]) -> None:
        beginnings = {request.messages[: request.shared] for request in requests}
        await asyncio.gather(*(self._read_once(engine, self.template.beginning(shared)) for shared in beginnings))

    async def _read_once(self, engine: Engine, prefix: str) -> None:
        """Have the engine read a prefix into its cache before the first of those who share it.

        Requests that arrive together would each read it, because only finished requests are in the cache. A prompt
        that is shared in full is cut to whole blocks by the engine.
        """
        if len(prefix) < SHORTEST_PREFIX or not self._settings.prefix_cache:
            return
        if prefix not in engine.prefixes:
            reading = engine.submit(EngineRequest(prefix, max_tokens=1, prefix=True))
            engine.prefixes[prefix] = reading  # after the submission, which may start a process that has read nothing
            reading.add_done_callback(lambda read: read.cancelled() or read.exception())  # perhaps nobody waits now
        else:
            reading = engine.prefixes[prefix]
        await asyncio.wait([reading])
        if not reading.cancelled() and reading.exception() is not None and engine.prefixes.get(prefix) is reading:
            del engine.prefixes[prefix]  # the request itself meets what went wrong

    async def deploy(self, deployment: Deployment) -> None:
        """Load merged weights beside the base. Raises WrongWeights when they are missing or changed, and
        ModelNotFound when OpenVINO does not take them."""
        async with self._deploying:
            if deployment.name in self._deployed:
                return
            file, artifacts = file_of(deployment, "openvino", ("merged",)), deployment.artifacts
            engine = Engine(seat(artifacts.merged, self._settings, sha256=artifacts.files[file]))
            await self._serve_merged(deployment.name, engine)


def seat(gguf: Path, settings: EngineSettings, served: Path | None = None, sha256: str = "") -> Seat:
    """The process that serves a file. `served`: where the same values lie, or are to be written, in a quantization that
    OpenVINO computes with. With `sha256` only a file of that hash is loaded, whenever a process loads it."""
    return Seat(
        name=gguf.name,
        module="agent0es.models.engine_process",
        arguments=(str(gguf), str(served or gguf), sha256, json.dumps(asdict(settings))),
        weights=gguf,
        made=(served, "writing a copy of the weights in Q8_0") if served is not None else None,
    )
