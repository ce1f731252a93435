"""The embedder: texts in batches, each computed once, kept for other processes."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent0es.models import embedder
from agent0es.models.embedder import BATCH, DIMENSION, Embedder, key_of
from agent0es.models.embedding_cache import EmbeddingCache


class Model:
    """Counts what it is given; a text's vector is a direction drawn from its hash."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.batch_sizes: set[int] = set()
        self.begun = threading.Event()
        self.hold: threading.Event | None = None

    def encode(self, texts: Sequence[str], batch_size: int, **options: Any) -> Any:
        self.calls.append(list(texts))
        self.begun.set()
        self.batch_sizes.add(batch_size)
        if self.hold is not None:
            self.hold.wait(10)
        rows = [np.random.default_rng(list(key_of(text))).standard_normal(DIMENSION) for text in texts]
        return np.stack(rows).astype(np.float64)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    model = Model()
    monkeypatch.setattr(embedder, "_load", lambda: model)
    return model


async def test_texts_that_come_while_others_are_computed_go_together(model: Model) -> None:
    model.hold = threading.Event()
    texts = Embedder()
    first = asyncio.create_task(texts.embed(["first"]))
    assert await asyncio.to_thread(model.begun.wait, 10)
    others = [asyncio.create_task(texts.embed([f"text {number}", "shared"])) for number in range(20)]
    await asyncio.sleep(0.01)
    model.hold.set()
    [one], *rows = await asyncio.gather(first, *others)

    assert [len(call) for call in model.calls] == [1, 21]
    assert model.batch_sizes == {BATCH}
    assert all(np.array_equal(row[1], rows[0][1]) for row in rows)
    assert one.dtype == np.float32 and one.shape == (DIMENSION,)


async def test_vectors_come_in_the_order_of_the_texts_and_each_text_is_computed_once(model: Model) -> None:
    texts = Embedder()
    wanted = [f"text {number}" for number in range(100)]
    forward, backward = await texts.embed(wanted), await texts.embed([*reversed(wanted), "new"])
    assert np.array_equal(forward, backward[-2::-1])
    assert [len(call) for call in model.calls] == [100, 1]
    assert (await texts.embed([])).shape == (0, DIMENSION)


async def test_another_process_finds_them_in_the_store(model: Model, tmp_path: Path) -> None:
    file = tmp_path / "embeddings.db"
    first = Embedder(file)
    wanted = [f"text {number}" for number in range(1200)]
    vectors = await first.embed(wanted)
    first.close()
    second = Embedder(file)
    assert np.array_equal(await second.embed([*wanted, "new"]), [*vectors, *(await first.embed(["new"]))])
    assert [len(call) for call in model.calls] == [1200, 1]
    second.close()


@pytest.mark.parametrize("damage", ["nonsense", "truncated", "other", "read-only", "folder"])
async def test_a_cache_that_can_not_be_used_costs_time_and_nothing_else(
    model: Model, tmp_path: Path, damage: str
) -> None:
    file = tmp_path / "embeddings.db"
    first = Embedder(file)
    expected = await first.embed(["one", "two"])
    first.close()
    match damage:
        case "nonsense":
            file.write_bytes(b"not a database " * 1000)
        case "truncated":
            file.write_bytes(file.read_bytes()[:5000])
        case "other":  # a vector of another length
            cache = EmbeddingCache(file, 3)
            cache.put({key_of("three"): np.zeros(3, np.float32)})
            cache.close()
        case "read-only":
            file.chmod(0o400)
        case "folder":
            file.unlink()
            file.mkdir()
    again = Embedder(file)
    assert np.array_equal((await again.embed(["one", "two", "three"]))[:2], expected)
    assert np.array_equal((await again.embed(["three"])), (await Embedder().embed(["three"])))
    again.close()


async def test_a_text_that_is_no_unicode_has_a_vector_too(model: Model) -> None:
    assert (await Embedder().embed(["half a pair \ud800"])).shape == (1, DIMENSION)
