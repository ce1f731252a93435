"""One engine for all tests, and an adapter trained on the embedded model."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent0es.configuration import TrainingSettings
from agent0es.models.openvino import OpenVinoBackend
from agent0es.models.weights import find_weights
from agent0es.training.base import Trained, TrainingJob
from agent0es.training.engine import Engine
from agent0es.training.packed import Packed
from agent0es.training.trainer import ProcessTrainer

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
def trained(tmp_path_factory: pytest.TempPathFactory, base_cache: Path) -> Trained:
    """An adapter that has seen 16 words, each answered by `Word: <word>!`."""
    settings = TrainingSettings(rank=16, alpha=32.0, frozen_share=0.0, epochs=8)
    return train_on_words(Packed(), tmp_path_factory.mktemp("adapter"), base_cache, settings)


def train_on_words(engine: Engine, folder: Path, base_cache: Path, settings: TrainingSettings) -> Trained:
    """16 words, each to be answered by `Word: <word>!`."""
    dataset = folder / "rows.jsonl"
    with dataset.open("w") as file:
        for word in WORDS:
            row = {
                "messages": [{"role": "user", "content": word}],
                "segments": [[f"Word: {word}!", True]],
            }
            file.write(json.dumps(row) + "\n")
    job = TrainingJob(
        base=find_weights("smollm2-135m-instruct"),
        dataset=dataset,
        output=folder / "out",
        seed=1,
        settings=settings,
    )
    return asyncio.run(ProcessTrainer(engine, base_cache).train(job, lambda progress: None))
