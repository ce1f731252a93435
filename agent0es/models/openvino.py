"""The embedded backend: GGUF weights on a CPU through OpenVINO GenAI. No server, no compiler, no torch.

Each set of weights has an engine, a process of its own: the base, and one for every deployed adapter, merged into
the base and written as GGUF. They answer side by side.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path

from agent0es.errors import ConfigurationError, ModelNotFound
from agent0es.models.artifacts import MERGED
from agent0es.models.base import Capabilities, Completion, Deployment, GenerationRequest, Health, Weights
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.embedded import EmbeddedLibrary
from agent0es.models.engine import Engine, EngineSettings, Seat
from agent0es.models.engine_messages import EngineRequest
from agent0es.models.engine_terms import completion, in_its_terms
from agent0es.models.gguf_file import GgufFile
from agent0es.models.gguf_writer import is_approximated
from agent0es.models.library import ModelLibrary
from agent0es.models.weights import find_weights

ARCHITECTURES = ("llama", "qwen2", "qwen3")
"""Of GGUF files, those that OpenVINO GenAI makes a graph of."""
SHORTEST_PREFIX = 200
"""Characters; what is shorter is not worth a request of its own."""


class OpenVinoBackend:
    """Continuous batching, prefix cache, log-probabilities, structured output; adapters as merged weights."""

    def __init__(self, weights: Weights, settings: EngineSettings | None = None, cache: Path | None = None) -> None:
        """Nothing is loaded before the first request. In `cache` goes a copy of weights that need another form.

        Raises ModelNotFound for weights without a chat template or of an architecture that OpenVINO doesn't read.
        """
        self.weights = weights
        file = GgufFile.open(weights.path)
        architecture = file.metadata.get("general.architecture")
        if architecture not in ARCHITECTURES:
            raise ModelNotFound(
                f"{weights.path}: OpenVINO reads a GGUF of the architecture {' or '.join(ARCHITECTURES)}, this is "
                f"{architecture}"
            )
        self.template = ChatTemplate.of(file)
        settings = settings or EngineSettings()
        trained_for = file.metadata.get(f"{architecture}.context_length", settings.context)
        self._settings = replace(settings, context=min(settings.context, trained_for))
        self.capabilities = Capabilities(
            logprobs=True, structured_output=True, adapters=frozenset({"merged"}), context=self._settings.context
        )
        served = cache / f"{weights.sha256[:16]}-q8_0.gguf" if cache and is_approximated(file) else None
        self._base = Engine(seat(weights.path, self._settings, served, weights.sha256))
        self._deployed: dict[str, Engine] = {}
        self._deploying = asyncio.Lock()
        self._name = f"{weights.name}:{'Q8_0' if served else _quantization(file)}"

    @classmethod
    def create(cls, name: str, *, cache: Path | None = None, **options: object) -> "OpenVinoBackend":
        """`name` is an embedded model or the path of a GGUF; options are the fields of EngineSettings.

        Raises ModelNotFound, and ConfigurationError for an option that is unknown or out of range.
        """
        known = {field.name: field for field in fields(EngineSettings)}
        for option, value in options.items():
            if option not in known:
                raise ConfigurationError(f"openvino: unknown option {option}; there are: {', '.join(known)}")
            if option == "prefix_cache":
                if not isinstance(value, bool):
                    raise ConfigurationError(f"openvino: prefix_cache must be true or false, not {value!r}")
                continue
            lowest = 0 if option == "threads" else 1
            if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
                raise ConfigurationError(f"openvino: {option} must be a whole number from {lowest} up, not {value!r}")
        return cls(find_weights(name, cache), EngineSettings(**options), cache)  # type: ignore[arg-type]

    @classmethod
    def library(cls, *, cache: Path | None = None, **options: object) -> ModelLibrary:
        """The models whose weights come with packages."""
        return EmbeddedLibrary(cache)

    @property
    def name(self) -> str:
        return self._name

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        engine = self._engine(adapter)
        asked = [in_its_terms(request, self.template) for request in requests]
        beginnings = {request.messages[: request.shared] for request in requests}
        await asyncio.gather(*(self._read_once(engine, self.template.beginning(shared)) for shared in beginnings))
        futures = [engine.submit(request) for request in asked]
        try:
            answers = zip(requests, await asyncio.gather(*futures), strict=True)
            return [completion(answer, request, self.template, self._name, adapter) for request, answer in answers]
        finally:
            for future in futures:
                future.cancel()

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

    async def stream(self, request: GenerationRequest, adapter: str | None = None) -> AsyncIterator[str]:
        async for piece in self._engine(adapter).stream(in_its_terms(request, self.template)):
            yield piece

    async def health(self) -> Health:
        engines = {"base": self._base, **self._deployed}
        extra = {name: {"loaded": engine.loaded, "in_flight": engine.in_flight} for name, engine in engines.items()}
        detail = "loaded" if self._base.loaded else "will load at the first request"
        loading = next(filter(None, (engine.loading for engine in engines.values())), "")
        return Health(ok=self.weights.path.is_file(), detail=f"{self.name}: {detail}", loading=loading, extra=extra)

    async def deploy(self, deployment: Deployment) -> None:
        """Load merged weights beside the base. Raises WrongWeights when they are missing or changed, and
        ModelNotFound when OpenVINO does not take them."""
        async with self._deploying:
            if deployment.name in self._deployed:
                return
            artifacts = deployment.artifacts
            if "merged" not in artifacts.forms:
                raise ModelNotFound(f"adapter {deployment.name}: openvino needs merged weights, and there are none")
            engine = Engine(seat(artifacts.merged, self._settings, sha256=artifacts.files[MERGED]))
            try:
                await engine.open()
            except BaseException:
                await asyncio.to_thread(engine.close)
                raise
            self._deployed[deployment.name] = engine

    async def retire(self, name: str) -> None:
        async with self._deploying:
            engine = self._deployed.pop(name, None)
            if engine is not None:
                await asyncio.to_thread(engine.close)

    async def close(self) -> None:
        """End all engines; requests in flight fail."""
        engines = [self._base, *self._deployed.values()]
        self._deployed = {}
        for engine in engines:
            await asyncio.to_thread(engine.close)

    def _engine(self, adapter: str | None) -> Engine:
        if adapter is None:
            return self._base
        if adapter not in self._deployed:
            deployed = ", ".join(self._deployed) or "none"
            raise ModelNotFound(f"adapter {adapter} is not deployed; deployed: {deployed}")
        return self._deployed[adapter]


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


def _quantization(file: GgufFile) -> str:
    """The quantization of most of a file's matrices, e.g. `Q4_1`."""
    import gguf

    kinds = [tensor.type for tensor in file.tensors.values() if len(tensor.shape) > 1]
    return gguf.GGMLQuantizationType(max(set(kinds), key=kinds.count)).name
