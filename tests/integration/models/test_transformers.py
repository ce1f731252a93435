"""The backend `transformers`: the contract, and what it answers beside the library itself."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent0es.models.transformers import TransformersBackend
from agent0es.testing import BackendContract


@pytest.fixture(scope="module")
def transformers(base_cache: Path) -> Iterator[TransformersBackend]:
    """One thread: other tests want the cores too."""
    backend = TransformersBackend.create("smollm2-135m-instruct", cache=base_cache, threads=1)
    yield backend
    asyncio.run(backend.close())


class TestContract(BackendContract):
    closes = False

    @pytest.fixture
    def backend(self, transformers: TransformersBackend) -> TransformersBackend:
        return transformers
