"""The backend `transformers`: the contract, and what it answers beside the library itself."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent0es.models.base import Deployment
from agent0es.models.transformers import TransformersBackend
from agent0es.testing import BackendContract
from agent0es.testing.models import ask
from tests.support.tiny_folder import write_tiny_adapter, write_tiny_folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_folder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def shared(tiny: Path) -> Iterator[TransformersBackend]:
    backend = TransformersBackend.create(str(tiny), threads=1)
    yield backend
    asyncio.run(backend.close())


class TestContract(BackendContract):
    closes = False

    @pytest.fixture
    def backend(self, shared: TransformersBackend) -> TransformersBackend:
        return shared

    @pytest.fixture(autouse=True)
    def _adapter(self, tmp_path: Path) -> None:
        self.deployment = Deployment("student-1", write_tiny_adapter(tmp_path / "one"))


async def test_who_joins_a_batch_is_answered_as_if_alone(shared: TransformersBackend) -> None:
    requests = [ask("ban " * (5 * n + 1), 8 + 5 * n, seed=n, temperature=float(n % 2), top_p=0.9) for n in range(12)]
    alone = [await shared.generate([request]) for request in requests]

    async def later(place: int) -> list[object]:
        await asyncio.sleep(0.01 * place)
        return await shared.generate([requests[place]])

    together = await asyncio.gather(*map(later, range(len(requests))))
    for [one], [other] in zip(alone, together, strict=True):
        assert one.token_ids == other.token_ids
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)


async def test_what_requests_share_is_read_once_and_changes_nothing(tiny: Path, shared: TransformersBackend) -> None:
    requests = [
        replace(ask(f"ko{'la' * n}", 12), messages=(*ask("ban " * 50).messages, *ask(f"tu{n}").messages))
        for n in range(4)
    ]
    free = await shared.generate(requests)
    first = await shared.generate([replace(request, shared=1) for request in requests])
    again = await shared.generate([replace(request, shared=1) for request in requests])
    for one, *others in zip(free, first, again, strict=True):
        assert all(one.token_ids == other.token_ids for other in others)
        assert all(one.usage == other.usage for other in others)
