"""The backend: a model on a server that talks as OpenAI's does."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agent0es.errors import Agent0Error, ConfigurationError
from agent0es.models.base import (
    Capabilities,
    Completion,
    Deployment,
    GenerationFailed,
    GenerationRequest,
    Health,
    ModelUnavailable,
    RequestRefused,
    Usage,
    Weights,
    not_deployed,
)
from agent0es.models.http import HttpClient, Key, ServerRefused, options_of
from agent0es.models.http.asking import Reply
from agent0es.models.http.cut import see_that_it_was_read
from agent0es.models.http.faults import is_not_loaded
from agent0es.models.http.pacing import guessed_tokens
from agent0es.models.http.schemas import out_of_object
from agent0es.models.openai_compatible.adapters import AdapterServer, Fields, adapters_of
from agent0es.models.openai_compatible.library import OpenAiLibrary
from agent0es.models.openai_compatible.options import OpenAiOptions
from agent0es.models.openai_compatible.router import load
from agent0es.models.openai_compatible.server import Facts, list_cards, look
from agent0es.models.openai_compatible.wire import ENDS, Said, body_of, cut, is_held, read, text_of, written
from agent0es.models.thinking import split_thinking
from agent0es.models.transformers.source import find_folder
from agent0es.models.waiting import side_by_side, waited_for
from agent0es.models.weights import find_weights

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

NAME = "openai-compatible"


@dataclass(frozen=True, slots=True)
class _Deployed:
    deployment: Deployment
    fields: Fields


class OpenAiCompatibleBackend:
    """Streaming, log-probabilities, token ids, structured output, thinking, native tool calls, adapters, embeddings:
    as far as the server has them."""

    def __init__(
        self, model: str, base_url: str, key: Key, options: OpenAiOptions, weights: Weights | None = None
    ) -> None:
        """Nothing is asked before the first question. `weights` are those that training starts from."""
        self.weights = weights
        self._model, self._base_url, self._key, self._options = model, base_url, key, options
        self._root, self._api = _split(base_url)
        self._client = self._connected()
        self._facts: Facts | None = None
        self._adapters: AdapterServer | None = None
        self._deployed: dict[str, _Deployed] = {}
        self._deploying = asyncio.Lock()

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
    ) -> "OpenAiCompatibleBackend":
        """`name` is a model of the server's `/v1/models`; options are those of OpenAiOptions.

        The server keeps its weights to itself, so training needs to be told of the same ones: `weights` is an embedded
        model's name, or the path of a GGUF or of a Hugging Face folder. Raises ModelNotFound, and ConfigurationError
        for a wrong option.
        """
        found = None
        if weights is not None:
            look_in = find_folder if Path(weights).expanduser().is_dir() else find_weights
            found = look_in(weights, cache)
        return cls(name, _given(base_url), Key(api_key_env), options_of(OpenAiOptions, NAME, options), found)

    @classmethod
    def library(
        cls,
        *,
        cache: Path | None = None,
        base_url: str | None = None,
        api_key_env: str | None = None,
        weights: str | None = None,
        **options: Any,
    ) -> OpenAiLibrary:
        """The models of the server."""
        root, api = _split(_given(base_url))
        return OpenAiLibrary(HttpClient(NAME, root, Key(api_key_env), options_of(OpenAiOptions, NAME, options)), api)

    @property
    def name(self) -> str:
        """With its quantization, where the server says it. Raises as `capabilities` does."""
        return self._known().label

    @property
    def capabilities(self) -> Capabilities:
        """As the server says when it is first asked. Raises ModelUnavailable and ModelNotFound."""
        return self._known().capabilities

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        self._fields(adapter)
        return await side_by_side(self._complete(request, adapter) for request in requests)

    async def stream(self, request: GenerationRequest, adapter: str | None = None) -> AsyncIterator[str]:
        """Text as it comes; thinking that stands in the text comes too. Native calls of tools come at the end."""
        facts = await self._what()
        said, text, path = Said(), "", f"{self._api}/chat/completions"
        body, most = self._body(request, self._fields(adapter), facts), guessed_tokens(request)
        held = is_held(request, facts.kind, facts.capabilities)
        pieces_of = self._client.stream(path, body, said.take, form="sse", tokens=most, used=lambda: _used(said, most))
        async with aclosing(pieces_of) as pieces:
            async for piece in pieces:
                before, _ = cut(text, request.stop)
                text += piece
                after, ended = cut(text, request.stop)
                if len(after) > len(before) and not held:
                    yield after[len(before) :]
                if ended:
                    break
        if held:  # comes whole
            yield out_of_object(cut(text, request.stop)[0])
        if said.calls:
            yield text_of(said).removeprefix("".join(said.text))

    async def health(self) -> Health:
        try:
            facts = await self._what()
            await list_cards(self._client, self._api)
        except Agent0Error as error:
            return Health(ok=False, detail=str(error))
        extra = {"server": facts.kind, "deployed": sorted(self._deployed)}
        return Health(ok=True, detail=f"{facts.label} at {self._client.where}", extra=extra)

    async def deploy(self, deployment: Deployment) -> None:
        async with self._deploying:
            if deployment.name not in self._deployed:
                await self._what()
                await self._serve(deployment)

    async def retire(self, name: str) -> None:
        async with self._deploying:
            gone = self._deployed.pop(name, None)
            if gone is not None and self._adapters is not None:
                await self._adapters.retire(gone.deployment)

    async def embed(self, texts: Sequence[str]) -> "list[npt.NDArray[np.float32]]":
        """As the protocol `Embeds` says."""
        from agent0es.models.openai_compatible.embeddings import vectors_of

        facts = await self._what()
        if not facts.capabilities.embeddings:
            raise RequestRefused(f"{self._client.where}: {facts.label} makes no vectors of texts")
        answer = await self._client.post(f"{self._api}/embeddings", {"model": facts.model, "input": list(texts)})
        return vectors_of(answer, len(texts))

    async def close(self) -> None:
        await self._client.close()

    async def _complete(self, request: GenerationRequest, adapter: str | None) -> Completion:
        facts = await self._what()
        begin = time.perf_counter()
        fields = self._fields(adapter)
        try:
            reply = await self._ask(request, fields, facts)
        except ServerRefused as refused:
            if adapter is None and is_not_loaded(refused.fault):
                await load(self._client, facts.model)
            elif adapter is None or refused.fault.status not in (400, 404):
                raise
            else:
                fields = await self._again(adapter)
            reply = await self._ask(request, fields, facts)
        return self._completion(request, reply, adapter, fields, facts, time.perf_counter() - begin)

    async def _again(self, adapter: str) -> Fields:
        """Deploy an adapter that the server does not know: it was restarted. Raises ModelNotFound for one that was
        retired meanwhile."""
        async with self._deploying:
            self._fields(adapter)
            await self._serve(self._deployed[adapter].deployment)
            return self._fields(adapter)

    async def _ask(self, request: GenerationRequest, fields: Fields, facts: Facts) -> Reply[Said]:
        most = guessed_tokens(request)

        async def whole(values: AsyncIterator[Any]) -> Said:
            said = await read(values)
            see_that_it_was_read(request, said.usage.prompt_tokens if said.usage else 0)
            return said

        return await self._client.ask(
            "POST",
            f"{self._api}/chat/completions",
            self._body(request, fields, facts),
            whole,
            form="sse",
            tokens=most,
            used=lambda said: _used(said, most),
        )

    def _completion(
        self,
        request: GenerationRequest,
        reply: Reply[Said],
        adapter: str | None,
        fields: Fields,
        facts: Facts,
        seconds: float,
    ) -> Completion:
        """What was said, in the port's terms."""
        said, able = reply.value, facts.capabilities
        read_tokens = said.usage.prompt_tokens if said.usage else 0
        answered = fields.get("model", facts.model)
        if adapter is not None and said.model not in (None, answered):
            raise GenerationFailed(
                f"{self._client.where}: {said.model[:100]!r} answered in place of {answered}", reply.tries
            )
        ids, logprobs, count = written(said, request.stop)
        inline, text = split_thinking(text_of(said))
        text, stopped = cut(text, request.stop)
        held = is_held(request, facts.kind, able)
        mean = fmean(logprobs) if logprobs and able.logprobs else None
        if held:
            text, ids, logprobs = out_of_object(text), None, None  # tokens of other words
        cached = said.usage.prompt_tokens_details if said.usage else None
        return Completion(
            text=text,
            finish_reason="stop" if stopped else ENDS[said.ended or "stop"],
            usage=Usage(read_tokens, count, cached.cached_tokens if cached else None),
            model=facts.label,
            adapter=adapter,
            seconds=seconds,
            token_ids=ids,
            logprobs=logprobs if able.logprobs else None,
            mean_logprob=mean,
            thinking="".join(said.thinking) or inline,
            left_out=able.left_out(request),
            tries=reply.tries,
        )

    def _body(self, request: GenerationRequest, fields: Fields, facts: Facts) -> dict[str, Any]:
        who = {"model": facts.model, **fields}
        return body_of(request, facts.kind, facts.capabilities, who, self._options.extra_body)

    def _fields(self, adapter: str | None) -> Fields:
        """What a request says so that this adapter answers. Raises ModelNotFound for one that is not deployed."""
        if adapter is None:
            return {}
        if adapter not in self._deployed:
            raise not_deployed(adapter, self._deployed)
        return self._deployed[adapter].fields

    async def _serve(self, deployment: Deployment) -> None:
        assert self._adapters is not None
        self._deployed[deployment.name] = _Deployed(deployment, await self._adapters.deploy(deployment))

    async def _what(self) -> Facts:
        if self._facts is None:
            self._learn(await self._look(self._client))
        assert self._facts is not None
        return self._facts

    def _known(self) -> Facts:
        """Asked where nobody can await it."""

        async def asked() -> Facts:
            client = self._connected()  # connections belong to a loop
            try:
                return await self._look(client)
            finally:
                await client.close()

        if self._facts is None:
            self._learn(waited_for(asked))
        assert self._facts is not None
        return self._facts

    def _learn(self, facts: Facts) -> None:
        self._facts = facts
        self._adapters = adapters_of(facts, self._client, self._options)

    async def _look(self, client: HttpClient) -> Facts:
        try:
            return await look(client, self._api, self._base_url, self._model, self._options, self.weights)
        except GenerationFailed as failed:  # what breaks now is no attempt's to make again
            raise ModelUnavailable(str(failed)) from None

    def _connected(self) -> HttpClient:
        return HttpClient(NAME, self._root, self._key, self._options)


def _used(said: Said, most: float) -> float:
    """Tokens that it took, as the server counted; all where it counts none."""
    return said.usage.prompt_tokens + said.usage.completion_tokens if said.usage else most


def _given(base_url: str | None) -> str:
    if base_url is None:
        raise ConfigurationError(
            f"{NAME}: set models.<role>.base_url to the server's address, e.g. http://127.0.0.1:8000 for vLLM, "
            "http://127.0.0.1:8080 for llama-server, http://127.0.0.1:1234 for LM Studio"
        )
    return base_url


def _split(base_url: str) -> tuple[str, str]:
    """(root, path of the API below it): `http://host:8000` and `http://host:8000/v1` are the same server."""
    url = base_url.rstrip("/")
    if url.endswith("/v1"):
        return url.removesuffix("/v1"), "/v1"
    return url, "" if urlsplit(url).path else "/v1"
