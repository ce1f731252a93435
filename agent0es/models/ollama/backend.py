"""The backend: a model on an Ollama server, and adapters as models beside it."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent0es.errors import ConfigurationError, ModelNotFound, UserError
from agent0es.models.artifacts import MERGED
from agent0es.models.base import (
    Capabilities,
    Completion,
    Deployment,
    GenerationFailed,
    GenerationRequest,
    Health,
    RequestRefused,
    Weights,
    file_of,
    not_deployed,
    unchanged,
)
from agent0es.models.gguf_file import GgufFile
from agent0es.models.http import Key, options_of
from agent0es.models.http.cut import see_that_it_was_read
from agent0es.models.http.pacing import guessed_tokens
from agent0es.models.ollama.api import OllamaApi
from agent0es.models.ollama.faults import address_of
from agent0es.models.ollama.library import OllamaLibrary
from agent0es.models.ollama.options import DEFAULT_CONTEXT, OllamaOptions
from agent0es.models.ollama.shown import ModelFacts, facts_of, gives_logprobs, served_name, why_other_model
from agent0es.models.ollama.wire import chat_body, completion_of, rendering_body
from agent0es.models.waiting import side_by_side, waited_for
from agent0es.models.weights import find_weights

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BEGUN = "One,\n two,\n"
"""A turn that is begun, to see whether the server has the model continue it to the letter."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the server said of the model when it was first asked."""

    facts: ModelFacts
    capabilities: Capabilities
    context: int
    rendered: str | None
    """The prompt of a question, as this model reads it."""


class OllamaBackend:
    """Streaming, log-probabilities, structured output, thinking, embeddings; adapters as merged weights."""

    def __init__(self, model: str, api: OllamaApi, options: OllamaOptions, weights: Weights | None = None) -> None:
        """Nothing is asked before the first question. `weights` are those that training starts from."""
        self.weights = weights
        self._model, self._api, self._options = model, api, options
        self._known: _Known | None = None
        self._deployed: dict[str, Deployment] = {}
        self._looking, self._deploying = asyncio.Lock(), asyncio.Lock()

    @classmethod
    def create(
        cls,
        name: str,
        *,
        cache: Path | None = None,
        base_url: str | None = None,
        api_key_env: str | None = None,
        weights: str | None = None,
        **options: Any,
    ) -> "OllamaBackend":
        """`name` is a model of the server, as `ollama list` shows it; options are the fields of OllamaOptions.

        The server keeps its weights to itself, so training needs to be told of the same ones: `weights` is an embedded
        model's name or the path of a GGUF. Raises ModelNotFound, and ConfigurationError for a wrong option.
        """
        asked = options_of(OllamaOptions, "ollama", options)
        api = OllamaApi(address_of(base_url), Key(api_key_env), asked)
        return cls(name, api, asked, None if weights is None else find_weights(weights, cache))

    @classmethod
    def library(
        cls,
        *,
        cache: Path | None = None,
        base_url: str | None = None,
        api_key_env: str | None = None,
        weights: str | None = None,
        **options: Any,
    ) -> OllamaLibrary:
        """The models of the server."""
        asked = options_of(OllamaOptions, "ollama", options)
        return OllamaLibrary(OllamaApi(address_of(base_url), Key(api_key_env), asked))

    @property
    def name(self) -> str:
        return self._now_known().facts.label

    @property
    def capabilities(self) -> Capabilities:
        """As the server says when it is first asked; the model is loaded for it.

        Raises ModelUnavailable, ModelNotFound and ConfigurationError.
        """
        return self._now_known().capabilities

    def _now_known(self) -> _Known:
        """Asked where nobody can await it."""
        if self._known is None:
            self._known = waited_for(self._look)
        return self._known

    async def _what(self) -> _Known:
        if self._known is None:
            async with self._looking:
                self._known = self._known or await self._look()
        return self._known

    async def _look(self) -> _Known:
        async with self._api.for_a_user() as api:
            return await self._ask(api)

    async def _ask(self, api: OllamaApi) -> _Known:
        version = await api.version()
        facts = facts_of(self._model, await api.show(self._model))
        if self.weights is not None and (why := why_other_model(facts, GgufFile.open(self.weights.path).metadata)):
            raise ConfigurationError(f"ollama: {self.weights.path} is not the model {self._model}: {why}")
        writes, options = "completion" in facts.capabilities, self._options
        if options.think and "thinking" not in facts.capabilities:
            raise ConfigurationError(
                f"ollama: {self._model} doesn't think; set think to false, or choose another model"
            )
        wanted = options.num_ctx or DEFAULT_CONTEXT
        context = min(wanted, facts.context or wanted)
        begun = rendered = None
        if writes and not facts.remote:
            rendered = await api.rendered(self._model, rendering_body(self._model, options, context, ""))
            begun = await self._begun(api, context)
        capabilities = Capabilities(
            logprobs=writes and not facts.remote and gives_logprobs(version),
            structured_output=writes and not facts.remote,
            adapters=frozenset() if facts.remote or not writes else frozenset({"merged"}),
            prefill=begun is not None and begun.endswith(BEGUN),
            seeds=not facts.remote,
            context=context,
            embeddings="embedding" in facts.capabilities,
        )
        return _Known(facts, capabilities, context, rendered)

    async def _begun(self, api: OllamaApi, context: int) -> str | None:
        """The prompt with a turn that has begun; None where such a turn is refused."""
        try:
            return await api.rendered(self._model, rendering_body(self._model, self._options, context, BEGUN))
        except RequestRefused:
            return None
        except GenerationFailed as failed:
            if ": HTTP 500:" in str(failed):  # so a template refuses, too
                return None
            raise

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        self._target(adapter)
        return await side_by_side(self._complete(request, adapter) for request in requests)

    async def _complete(self, request: GenerationRequest, adapter: str | None) -> Completion:
        begin = time.perf_counter()
        known = await self._what()
        body = self._body(known, request, adapter)
        tokens = guessed_tokens(request)

        def seen(read: int) -> None:
            see_that_it_was_read(request, read, known.context)

        try:
            reply = await self._api.chat(body["model"], body, tokens, seen)
        except ModelNotFound:
            if adapter is None:
                raise
            async with self._deploying:
                await self._serve(self._deployed[adapter])  # somebody deleted it, or the server lost its folder
            reply = await self._api.chat(body["model"], body, tokens, seen)
        return completion_of(
            reply.value,
            model=known.facts.label,
            adapter=adapter,
            seconds=time.perf_counter() - begin,
            left_out=known.capabilities.left_out(request),
            tries=reply.tries,
        )

    async def stream(self, request: GenerationRequest, adapter: str | None = None) -> AsyncIterator[str]:
        body = self._body(await self._what(), request, adapter)
        async for chunk in self._api.stream(body["model"], body, guessed_tokens(request)):
            if chunk.message.content:
                yield chunk.message.content

    def _body(self, known: _Known, request: GenerationRequest, adapter: str | None) -> dict[str, Any]:
        """The request in Ollama's terms, without what this model can't take. Raises ModelNotFound, RequestRefused."""
        if "completion" not in known.facts.capabilities:
            raise RequestRefused(f"{self._model} makes vectors of texts and writes none; choose another model")
        left_out = known.capabilities.left_out(request)
        taken = replace(
            request,
            prefill="" if "prefill" in left_out else request.prefill,
            json_schema=None if "json_schema" in left_out else request.json_schema,
        )
        model = self._target(adapter)
        logprobs = known.capabilities.logprobs
        return chat_body(taken, model, self._options, known.context, known.facts.stop, logprobs)

    async def embed(self, texts: Sequence[str]) -> "list[npt.NDArray[np.float32]]":
        """A vector for each text, of length 1. Raises RequestRefused for a text that is too long, or a model that makes
        none."""
        import numpy as np

        known = await self._what()
        if not texts:
            return []
        if not known.capabilities.embeddings:
            raise RequestRefused(f"{self._model} makes no vectors of texts; choose one that does, such as all-minilm")
        body = {"model": self._model, "input": list(texts), "truncate": False, "options": {"num_ctx": known.context}}
        embedded = await self._api.embed(self._model, body)
        if len(embedded.embeddings) != len(texts) or len(set(map(len, embedded.embeddings))) != 1:
            raise GenerationFailed(f"Ollama gave {len(embedded.embeddings)} vectors of {len(texts)} texts")
        return [np.asarray(vector, dtype=np.float32) for vector in embedded.embeddings]

    async def health(self) -> Health:
        """Whether the server answers and has the model. Nothing is loaded."""
        try:
            async with self._api.for_a_user() as api:
                version = await api.version()
                facts = facts_of(self._model, await api.show(self._model))
        except UserError as error:
            return Health(ok=False, detail=str(error))
        extra = {"version": version, "capabilities": sorted(facts.capabilities)}
        return Health(ok=True, detail=f"{facts.label} on Ollama {version}", extra=extra)

    async def deploy(self, deployment: Deployment) -> None:
        """Have the merged weights on the server as a model of their own, asked as the base is.

        Raises WrongWeights, and ConfigurationError where the server would give it other prompts than the base.
        """
        async with self._deploying:
            if deployment.name in self._deployed:
                return
            await unchanged(deployment, [file_of(deployment, "ollama", ("merged",))])
            await self._serve(deployment)
            self._deployed[deployment.name] = deployment

    async def _serve(self, deployment: Deployment) -> None:
        """Nothing is done for a model that is there: its name has the hash of its weights."""
        known, name = await self._what(), _served(deployment)
        try:
            await self._api.show(name)
            return
        except ModelNotFound:
            pass
        artifacts = deployment.artifacts
        sha256 = artifacts.files[MERGED]
        await self._api.upload(artifacts.merged, sha256)
        await self._api.create(name, {**known.facts.made_with, "files": {MERGED: f"sha256:{sha256}"}})
        if await self._api.rendered(name, rendering_body(name, self._options, known.context, "")) != known.rendered:
            await self._api.delete(name)
            raise ConfigurationError(
                f"adapter {deployment.name}: Ollama would give it other prompts than {self._model} reads, because it "
                "chose another template; make the base anew from its own GGUF (`ollama create`), and use that"
            )

    async def retire(self, name: str) -> None:
        async with self._deploying:
            deployment = self._deployed.get(name)
            if deployment is None:
                return
            try:
                await self._api.unload(_served(deployment))
                await self._api.delete(_served(deployment))
            except ModelNotFound:
                pass  # it is gone
            del self._deployed[name]

    async def close(self) -> None:
        """What is deployed stays on the server for the next run, which finds it by its name."""
        await self._api.close()

    def _target(self, adapter: str | None) -> str:
        """The model that answers. Raises ModelNotFound."""
        if adapter is None:
            return self._model
        if adapter not in self._deployed:
            raise not_deployed(adapter, self._deployed)
        return _served(self._deployed[adapter])


def _served(deployment: Deployment) -> str:
    return served_name(deployment.name, deployment.artifacts.files[MERGED])
