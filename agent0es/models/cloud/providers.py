"""The four providers: where their keys are, what their models can do, and how one is reached."""

import logging
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from agent0es.models.cloud.connection import Connection, http2_client, http_client

if TYPE_CHECKING:
    from pydantic_ai.models import Model

Profile = Mapping[str, Any]
"""What pydantic-ai knows of a model by its name: a `ModelProfile`, with the provider's own entries."""
Thinking = bool | str | None
"""Whether, or how hard, a model is to think; None leaves it to the model."""
Close = Callable[[], Awaitable[None]]


class Abilities(NamedTuple):
    """What a provider's model takes and gives, beyond its profile."""

    sampling: bool
    """Temperature and top_p."""
    logprobs: bool
    """It gives log-probabilities."""
    stops: int
    """Stop strings that it takes; at the others we cut the text."""


@dataclass(frozen=True, slots=True)
class Provider:
    """What is to be known of a provider."""

    variables: tuple[str, ...]
    """Environment variables that usually hold its key; the first that is set counts."""
    abilities: Callable[[str, Profile, Thinking], Abilities]
    """Of the model with this name."""
    open: Callable[[str, str, Connection], "tuple[Model[Any], Close]"]
    """The model with this name, given a key, and what closes its connections."""
    asks_logprobs: Mapping[str, Any]
    """The setting of pydantic-ai that asks for log-probabilities."""
    streams_logprobs: bool = True
    """They come with a stream, too."""

    def variable(self, chosen: str | None) -> str:
        """The name of the variable with the key."""
        names = (name for name in self.variables if os.environ.get(name) or os.environ.get(f"{name}_FILE"))
        return chosen or next(names, self.variables[0])


def _of_anthropic(name: str, profile: Profile, thinking: Thinking) -> Abilities:
    """The API's version of October 2026, which its library asks for, takes no sampling parameters at all."""
    return Abilities(sampling=False, logprobs=False, stops=16)


def _of_openai(name: str, profile: Profile, thinking: Thinking) -> Abilities:
    """A model that reasons takes sampling parameters, and gives log-probabilities, only while it does not."""
    reasons = profile.get("openai_supports_reasoning", False)
    efforts = profile.get("openai_reasoning_efforts")
    may_stop = profile.get("openai_supports_reasoning_effort_none", False) if efforts is None else "none" in efforts
    reasoning = profile.get("thinking_enabled_by_default", False) if thinking is None else thinking is not False
    plain = not reasons or (may_stop and not reasoning)
    return Abilities(sampling=plain, logprobs=plain, stops=0 if reasons else 4)


_IGNORES_SAMPLING = re.compile(r"gemini-(?:3[.-][5-9]|[4-9]|\d\d)")


def _of_google(name: str, profile: Profile, thinking: Thinking) -> Abilities:
    """From Gemini 3.5 on, sampling parameters are without effect. A few models give log-probabilities, and no list says
    which: the others refuse the request, so they are asked for only where the user says so."""
    return Abilities(sampling=not _IGNORES_SAMPLING.match(name), logprobs=False, stops=5)


def _of_cohere(name: str, profile: Profile, thinking: Thinking) -> Abilities:
    return Abilities(sampling=True, logprobs=False, stops=5)


def _open_anthropic(name: str, key: str, at: Connection) -> "tuple[Model[Any], Close]":
    from anthropic import AsyncAnthropic
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    http = http2_client(at)
    client = AsyncAnthropic(api_key=key, base_url=at.base_url, http_client=http, max_retries=0, timeout=http.timeout)
    return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=client)), http.aclose


def _open_openai(name: str, key: str, at: Connection) -> "tuple[Model[Any], Close]":
    """Chat Completions, not Responses: those take neither stop strings nor short bounds on tokens."""
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.openai import OpenAIProvider

    http = http2_client(at)
    client = AsyncOpenAI(api_key=key, base_url=at.base_url, http_client=http, max_retries=0, timeout=http.timeout)
    cut = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)
    return OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client), profile=cut), http.aclose


def _open_google(name: str, key: str, at: Connection) -> "tuple[Model[Any], Close]":
    from google.genai.client import Client
    from google.genai.types import HttpOptions
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    http = http2_client(at)
    milliseconds = int(1000 * at.read_seconds)
    options = HttpOptions(base_url=at.base_url, httpx_async_client=http, timeout=milliseconds)
    client = Client(vertexai=False, api_key=key, http_options=options)
    return GoogleModel(name, provider=GoogleProvider(client=client)), http.aclose


def _not_coheres(record: logging.LogRecord) -> bool:
    """Its library writes what it can't read to the root logger, whole."""
    return f"{os.sep}cohere{os.sep}" not in record.pathname


def _open_cohere(name: str, key: str, at: Connection) -> "tuple[Model[Any], Close]":
    from cohere import AsyncClientV2
    from pydantic_ai.models.cohere import CohereModel
    from pydantic_ai.providers.cohere import CohereProvider

    logging.getLogger().addFilter(_not_coheres)
    logging.getLogger("cohere").setLevel(logging.CRITICAL)  # nor what it can't read of a stream
    http = http_client(at)
    client = AsyncClientV2(
        api_key=key,
        base_url=at.base_url,
        httpx_client=http,
        timeout=at.read_seconds,
        max_retries=0,
        log_warning_experimental_features=False,
    )
    return CohereModel(name, provider=CohereProvider(cohere_client=client)), http.aclose


PROVIDERS: Mapping[str, Provider] = {
    "anthropic": Provider(("ANTHROPIC_API_KEY",), _of_anthropic, _open_anthropic, {}),
    "openai": Provider(("OPENAI_API_KEY",), _of_openai, _open_openai, {"openai_logprobs": True}),
    "google": Provider(
        ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        _of_google,
        _open_google,
        {"google_logprobs": True},
        streams_logprobs=False,
    ),
    "cohere": Provider(("CO_API_KEY", "COHERE_API_KEY"), _of_cohere, _open_cohere, {}),
}
