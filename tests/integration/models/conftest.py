"""One engine for all tests, and an adapter trained on the embedded model."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent0es.models.openvino import OpenVinoBackend
from agent0es.models.weights import find_weights
from agent0es.training.jobs import TrainedAdapter, TrainingJob, train_adapter

WORDS = (
    "apple river stone cloud tiger piano lemon castle window garden rocket silver mirror forest candle button".split()
)


@pytest.fixture(scope="session")
def openvino(base_cache: Path) -> Iterator[OpenVinoBackend]:
    """Without a prefix cache: what other tests asked must not change an answer."""
    backend = OpenVinoBackend.create("smollm2-135m-instruct", cache=base_cache, cache_tokens=16_384, prefix_cache=False)
    yield backend
    asyncio.run(backend.close())


@pytest.fixture(scope="session")
def base_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("base")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, base_cache: Path) -> TrainedAdapter:
    """An adapter that has seen 16 words, each answered by `Word: <word>!`."""
    folder = tmp_path_factory.mktemp("adapter")
    dataset = folder / "rows.jsonl"
    with dataset.open("w") as file:
        for word in WORDS:
            row = {
                "messages": [{"role": "user", "content": word}],
                "segments": [[f"Word: {word}!", True]],
            }
            file.write(json.dumps(row) + "\n")
    job = TrainingJob(
        base=find_weights("smollm2-135m-instruct").path,
        cache=base_cache,
        dataset=dataset,
        output=folder / "out",
        seed=1,
        epochs=8,
    )
    return asyncio.run(train_adapter(job, lambda progress: None))
