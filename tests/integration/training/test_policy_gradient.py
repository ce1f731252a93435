"""Rounds of sampling, rewarding and training: what is rewarded becomes likelier, and what is served knows it."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from agent0es.configuration import TrainingSettings
from agent0es.domain.prompt import Message
from agent0es.models.base import Completion, Deployment, GenerationRequest, Weights
from agent0es.models.made_once import sha256_of
from agent0es.models.transformers import TransformersBackend
from agent0es.training.base import Trained, TrainingJob
from agent0es.training.packed import Packed
from agent0es.training.trainer import ProcessTrainer

pytestmark = pytest.mark.slow

PROMPT = (Message("user", "q"),)
SETTINGS = TrainingSettings(
    method="grpo", rank=8, alpha=16.0, frozen_share=0.0, learning_rate=0.02, warmup_steps=0, epochs=4, batch_size=8
)
ROUNDS, ATTEMPTS = 4, 64


def reward(completion: Completion) -> float:
    """The share of letters of the tokens' first half: nothing that the model would do by itself."""
    ids = completion.token_ids or ()
    return sum(number < 145 for number in ids) / max(1, len(ids))


def row(completion: Completion) -> dict[str, Any]:
    call = {
        "messages": [message._asdict() for message in PROMPT],
        "prefill": "",
        "read": completion.usage.prompt,
        "ids": completion.token_ids,
        "logprobs": completion.logprobs,
    }
    return {"group": "1", "reward": reward(completion), "agreement": 1.0, "calls": [call]}


async def rounds(base: Weights, cache: Path, folder: Path, seen: Callable[[dict[str, Any]], None]) -> list[float]:
    """The mean reward of each round."""
    backend = TransformersBackend.create(str(base.path), cache=cache)
    trainer = ProcessTrainer(Packed(), cache)
    means, before = [], None
    try:
        for number in range(ROUNDS):
            requests = [
                GenerationRequest(PROMPT, max_tokens=12, temperature=1.0, seed=100 * number + n)
                for n in range(ATTEMPTS)
            ]
            answers: Sequence[Completion] = await backend.generate(requests, adapter=before and f"a{number}")
            means.append(fmean(map(reward, answers)))
            dataset = folder / f"{number}.jsonl"
            dataset.write_text("".join(json.dumps(row(answer)) + "\n" for answer in answers))
            start = None if before is None else before.artifacts
            job = TrainingJob(base, dataset, folder / f"a{number + 1}", 1, SETTINGS, start=start)
            before: Trained | None = await trainer.train(job, lambda message: seen(dict(message)))
            await backend.deploy(Deployment(f"a{number + 1}", before.artifacts))
    finally:
        await backend.close()
    return means


def test_the_reward_rises_over_rounds_of_sampling_and_training(tiny_gguf: Path, cache: Path, tmp_path: Path) -> None:
    base = Weights("tiny", tiny_gguf, sha256_of(tiny_gguf))
    said: list[dict[str, Any]] = []
    means = asyncio.run(rounds(base, cache, tmp_path, said.append))
    assert means[-1] > means[0] + 0.08, "seen: 0.50, 0.52, 0.59, 0.64; the noise of a mean is 0.02"
