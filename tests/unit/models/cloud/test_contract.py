"""The contract, for each provider."""

from collections.abc import Iterator
from typing import Any

import pytest

from agent0es.models.cloud.backend import CloudBackend
from agent0es.testing import BackendContract
from tests.support.providers.there import running


class _OfProvider(BackendContract):
    provider: str
    served: str | None = None
    asked: dict[str, Any] = {}  # noqa: RUF012

    @pytest.fixture
    def backend(self) -> Iterator[CloudBackend]:
        with running(self.provider) as there:
            yield there.backend(self.served, **self.asked)


class TestAnthropic(_OfProvider):
    provider = "anthropic"


class TestOpenAI(_OfProvider):
    provider = "openai"


@pytest.mark.slow
class TestOpenAIThatNeedNotReason(_OfProvider):
    provider, served, asked = "openai", "gpt-5.5", {"thinking": False}


@pytest.mark.slow
class TestGoogle(_OfProvider):
    provider, asked = "google", {"logprobs": True}


@pytest.mark.slow
class TestCohere(_OfProvider):
    provider = "cohere"
