"""A backend without a model: a function writes what the model would. For tests, and for trying things out quickly.

It keeps the contract of a real backend (stop strings, token bounds, log-probabilities, adapters by name); a token is
a word with the white space before it.
"""

import asyncio
import hashlib
import importlib
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from agent0es.errors import ConfigurationError
from agent0es.models.artifacts import FORMS
from agent0es.models.base import (
    Capabilities,
    Completion,
    Deployment,
    GenerationRequest,
    Health,
    Usage,
    Weights,
    not_deployed,
)
from agent0es.models.weights import find_weights

Script = Callable[[GenerationRequest, str | None], str]
"""(request, adapter) to what the model writes before stop strings and bounds. Must be a pure function."""

_TOKEN = re.compile(r"\s*\S+|\s+")
_VOCABULARY = 50_000


class ScriptedBackend:
    """Answers with a script's text."""

    capabilities = Capabilities(logprobs=True, token_ids=True, structured_output=True, adapters=FORMS)

    def __init__(
        self, script: Script, name: str = "scripted", delay_seconds: float = 0.0, weights: Weights | None = None
    ) -> None:
        """`delay_seconds` is the time that an answer takes. Adapters are trained on `weights`, if there are any."""
        self.weights = weights
        self._script = script
        self._name = name
        self._delay = delay_seconds
        self._deployed: set[str] = set()
        self._closed = False

    @classmethod
    def create(
        cls, name: str, *, cache: Path | None = None, delay_seconds: float = 0.0, weights: str | None = None
    ) -> "ScriptedBackend":
        """`name` is `module:function`, `weights` a model's name or the path of a GGUF.

        Raises ConfigurationError when there is no such function, ModelNotFound when there are no such weights.
        """
        module, _, function = name.partition(":")
        try:
            script = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigurationError(f"scripted: {name!r} must be module:function of an importable module") from error
        return cls(script, f"scripted:{name}", delay_seconds, find_weights(weights, cache) if weights else None)

    @property
    def name(self) -> str:
        return self._name

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        if adapter is not None and adapter not in self._deployed:
            raise not_deployed(adapter, sorted(self._deployed))
        begin = time.perf_counter()
        # Even without a delay other tasks run in between, as they do with a real model.
        await asyncio.sleep(self._delay)
        return [self._complete(request, adapter, time.perf_counter() - begin) for request in requests]

    async def stream(self, request: GenerationRequest, adapter: str | None = None) -> AsyncIterator[str]:
        [completion] = await self.generate([request], adapter)
        for token in _TOKEN.findall(completion.text):
            yield token

    async def health(self) -> Health:
        return Health(ok=not self._closed, detail=f"{self.name}: no model", extra={"deployed": sorted(self._deployed)})

    async def deploy(self, deployment: Deployment) -> None:
        self._deployed.add(deployment.name)

    async def retire(self, name: str) -> None:
        self._deployed.discard(name)

    async def close(self) -> None:
        self._closed = True

    def _complete(self, request: GenerationRequest, adapter: str | None, seconds: float) -> Completion:
        written = self._script(request, adapter)
        ends = [at for stop in request.stop if (at := written.find(stop)) >= 0]
        tokens = _TOKEN.findall(written[: min(ends)] if ends else written)
        kept = tokens[: request.max_tokens]
        read = [text for _, content in request.messages for text in _TOKEN.findall(content)]
        # Any fixed number per token will do, as long as it is a probability's logarithm.
        digests = [hashlib.sha256(token.encode()).digest() for token in kept]
        return Completion(
            text="".join(kept),
            finish_reason="length" if len(kept) < len(tokens) else "stop",
            usage=Usage(len(read) + len(_TOKEN.findall(request.prefill)), len(kept)),
            model=self._name,
            adapter=adapter,
            seconds=seconds,
            token_ids=tuple(int.from_bytes(digest[:4]) % _VOCABULARY for digest in digests),
            logprobs=tuple(math.log(0.5 + digest[4] / 512) for digest in digests),
        )
