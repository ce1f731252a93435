"""The backend `cloud`: a model of Anthropic, OpenAI, Google or Cohere."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import ModelResponse, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
from pydantic_ai.models import Model, StreamedResponse, infer_model_profile

from agent0es.errors import ConfigurationError, ModelNotFound
from agent0es.models.base import Capabilities, Completion, GenerationRequest
from agent0es.models.cloud.connection import Connection
from agent0es.models.cloud.dialect import (
    completion_of,
    cost_of,
    is_held,
    is_priced,
    messages_of,
    parameters_of,
    settings_of,
)
from agent0es.models.cloud.faults import fault_of
from agent0es.models.cloud.providers import PROVIDERS, Close
from agent0es.models.engine_child import before_stop, surely_before_stop
from agent0es.models.http import Asking, Fault, HttpOptions, Key, ServerFault
from agent0es.models.http.asking import Sleep
from agent0es.models.http.cut import see_that_it_was_read
from agent0es.models.http.pacing import guessed_tokens
from agent0es.models.http.schemas import out_of_object
from agent0es.models.simple import SimpleBackend

Effort = Literal["minimal", "low", "medium", "high", "xhigh", "max"]


class CloudOptions(HttpOptions):
    """`models.<role>.options` of this backend, beside those of every server."""

    thinking: bool | Effort | None = None
    """Whether, or how hard, the model is to think; `null` leaves it to the model."""
    sampling: bool | None = None
    """Whether temperature and top_p are sent; `null` for what is known of the model."""
    logprobs: bool | None = None
    """Whether log-probabilities are asked for; `null` for what is known of the model."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A client of the provider's, for one event loop and one key."""

    loop: asyncio.AbstractEventLoop
    key: str = field(repr=False)
    model: Model[Any] = field(repr=False)
    close: Close = field(repr=False)


class CloudBackend(SimpleBackend):
    """A model that is asked through its provider's own library."""

    def __init__(
        self,
        name: str,
        options: CloudOptions,
        base_url: str | None = None,
        api_key_env: str | None = None,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Nobody is asked before the first request. Raises ModelNotFound for a name that is none, and
        ConfigurationError where there is no key."""
        provider, _, model = name.partition(":")
        if provider not in PROVIDERS or not model:
            known = ", ".join(f"{one}:…" for one in PROVIDERS)
            raise ModelNotFound(f"cloud: a model is called PROVIDER:MODEL, one of {known}; not {name[:60]!r}")
        self.name, self._provider_name, self._model, self._options = name, provider, model, options
        self._provider = PROVIDERS[provider]
        variable = self._provider.variable(api_key_env)
        self._key = Key(variable)
        self._key.read()
        profile = infer_model_profile(name)
        able = self._provider.abilities(model, profile, options.thinking)
        self._stops = able.stops
        self.capabilities = Capabilities(
            logprobs=able.logprobs if options.logprobs is None else options.logprobs,
            sampling=able.sampling if options.sampling is None else options.sampling,
            structured_output=profile.get("supports_json_schema_output", False),
            prefill=False,
            seeds=False,
            context=profile.get("context_window"),
            priced=is_priced(provider, model),
        )
        self._at = Connection(base_url, options.connect_seconds, options.first_token_seconds)
        where = f"cloud at {base_url}" if base_url else f"cloud: {provider}"
        self._asking = Asking(where, base_url or provider, self._key, options, sleep=sleep)
        self._opened: Opened | None = None

    async def complete(self, request: GenerationRequest) -> Completion:
        """As the protocol says; the time includes waiting and all tries."""
        begin = time.perf_counter()
        reply = await self._asking.ask(
            f"chat with {self._model}",
            lambda: self._once(request),
            tokens=guessed_tokens(request),
            used=_used,
        )
        left_out, seconds = self.capabilities.left_out(request), time.perf_counter() - begin
        completion = completion_of(reply.value, request, model=self.name, seconds=seconds, left_out=left_out)
        return replace(completion, tries=reply.tries, cost_usd=cost_of(reply.value, self._provider_name, self._model))

    async def stream(self, request: GenerationRequest, adapter: str | None = None) -> AsyncIterator[str]:
        """Text as it comes, before a stop string. Asked for once: what was read can't be taken back."""
        if adapter is not None:
            raise ModelNotFound(f"adapter {adapter} is not deployed: {self.name} serves none")
        said = given = ""
        held = is_held(request, self.capabilities.left_out(request))
        most, whole = guessed_tokens(request), False
        asked_once = self._asking.at_once(
            f"chat with {self._model}", tokens=most, used=lambda: _used(answer.get()) if whole else most
        )
        async with asked_once, self._streamed(request) as answer:
            async for event in answer:
                match event:
                    case PartStartEvent(part=TextPart(content=piece)):
                        said += piece
                    case PartDeltaEvent(delta=TextPartDelta(content_delta=piece)):
                        said += piece
                    case _:
                        continue
                if held:  # comes whole
                    continue
                text = before_stop(said, request.stop)
                sure = text if len(text) < len(said) else surely_before_stop(said, request.stop)
                if len(sure) > len(given):
                    yield sure[len(given) :]
                    given = sure
                if len(text) < len(said):
                    return
            whole = True
        if rest := before_stop(said, request.stop)[len(given) :]:
            yield out_of_object(rest) if held else rest

    async def close(self) -> None:
        """Close the connections that wait for a next request."""
        opened, self._opened = self._opened, None
        if opened is not None and opened.loop is asyncio.get_running_loop():
            await opened.close()

    async def _once(self, request: GenerationRequest) -> ModelResponse:
        """One try. Raises ServerFault."""
        if self.capabilities.logprobs and not self._provider.streams_logprobs:
            response = await self._whole(request)
        else:
            async with self._streamed(request) as answer:
                async for _ in answer:
                    pass
                response = answer.get()
        if response.finish_reason is None:
            raise ServerFault(Fault("cut off", "the answer ended without saying why"))
        if response.finish_reason == "error":
            raise ServerFault(Fault("in stream", "the provider says that it failed", 500))
        see_that_it_was_read(request, response.usage.input_tokens)
        return response

    async def _whole(self, request: GenerationRequest) -> ModelResponse:
        """The answer in one piece. Raises ServerFault."""
        asked = self._asked(request, self.capabilities.logprobs)
        with _told():
            async with asyncio.timeout(self._options.whole_seconds):
                return await model_request(self._open(), messages_of(request.messages), **asked)

    @asynccontextmanager
    async def _streamed(self, request: GenerationRequest) -> AsyncIterator[StreamedResponse]:
        """The answer as it comes. Raises ServerFault."""
        asked = self._asked(request, self.capabilities.logprobs and self._provider.streams_logprobs)
        with _told():
            async with model_request_stream(self._open(), messages_of(request.messages), **asked) as answer:
                yield answer

    def _asked(self, request: GenerationRequest, logprobs: bool) -> Mapping[str, Any]:
        """What is asked for besides the messages."""
        settings = settings_of(request, self.capabilities, self._stops)
        settings["request_timeout"] = self._options.whole_seconds
        settings["first_event_timeout"] = self._options.first_token_seconds
        if self._options.thinking is not None:
            settings["thinking"] = self._options.thinking
        if logprobs:
            settings = {**settings, **self._provider.asks_logprobs}  # type: ignore[typeddict-item]
        parameters = parameters_of(request, self.capabilities)
        return {"model_settings": settings, "model_request_parameters": parameters, "instrument": False}

    def _open(self) -> Model[Any]:
        """The provider's client, for the running loop and the key as it is now."""
        key = self._key.read() or ""
        loop = asyncio.get_running_loop()
        if self._opened is None or (self._opened.loop, self._opened.key) != (loop, key):
            self._opened = Opened(loop, key, *self._provider.open(self._model, key, self._at))
        return self._opened.model


def _used(response: ModelResponse) -> float:
    """Tokens that it took."""
    return response.usage.input_tokens + response.usage.output_tokens


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong in here, raised as a ServerFault; a key that is gone is the user's to put right."""
    try:
        yield
    except (ServerFault, ConfigurationError):
        raise
    except Exception as error:  # noqa: BLE001 — a library that reads what a server wrote may raise anything
        raise ServerFault(fault_of(error)) from None
