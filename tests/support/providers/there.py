"""A provider that runs, and the backend that asks it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from agent0es.models.cloud.backend import CloudBackend, CloudOptions
from tests.support.http_server import HttpServer
from tests.support.providers import anthropic, cohere, google, openai
from tests.support.providers.serving import Provider, served
from tests.support.providers.words import Speak

PROVIDERS: dict[str, tuple[Provider, str, str]] = {
    "anthropic": (anthropic.answer, "", "claude-haiku-4-5"),
    "openai": (openai.answer, "/v1", "gpt-4o-mini"),
    "google": (google.answer, "", "gemini-2.5-flash"),
    "cohere": (cohere.answer, "", "command-a-03-2025"),
}
"""Provider to server, the path of its base URL, and its plainest model."""
VARIABLE = "SOME_KEY"
"""Holds the key in tests."""


@dataclass
class There:
    """A provider's server, and what asks it."""

    provider: str
    server: HttpServer
    base_url: str
    model: str
    waited: list[float] = field(default_factory=list)
    """Seconds that backends would have paused."""

    def backend(self, model: str | None = None, **options: Any) -> CloudBackend:
        """No time passes in its pauses."""
        quick = {"tries": 3, "connect_seconds": 5.0, "first_token_seconds": 10.0, "whole_seconds": 20.0, **options}
        name = f"{self.provider}:{model or self.model}"
        return CloudBackend(name, CloudOptions(**quick), self.base_url, VARIABLE, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.waited.append(round(seconds, 2))
        await asyncio.sleep(0)


@contextmanager
def running(provider: str, speak: Speak | None = None) -> Iterator[There]:
    """A provider, by its name."""
    answer, path, model = PROVIDERS[provider]
    with HttpServer(served(answer, speak)) as server:
        yield There(provider, server, server.url + path, model)
