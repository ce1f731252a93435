"""Every setting of a training has an effect on the adapter: none is there for show."""

import functools
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from agent0es.configuration import TrainingSettings
from agent0es.models.base import Weights
from agent0es.models.made_once import sha256_of
from agent0es.training.base import TrainingJob
from agent0es.training.process import main
from agent0es.training.trainer import described

PRACTICE = {
    *("roles", "learn_from", "engine", "method", "reward", "band"),
    *("examples_per_task", "examples_per_family", "minimum_examples"),
}
"""What is trained, by what and on what; in tests/unit/handlers/ test_settings_of_runs.py changes these, test_chats.py
`learn_from`, and in tests/unit/projections/ test_datasets.py `examples_per_task`, test_groups.py `reward`."""

OF_ENGINES = {"peft_method", "gradient_checkpointing", "optimizer"}
"""tests/integration/training/ test_hf.py shows what these do."""

CHANGED: Mapping[str, Any] = {
    "precision": "bf16",
    "rank": 3,
    "alpha": 16.0,
    "dropout": 0.5,
    "target_modules": ("q_proj",),
    "frozen_share": 0.5,
    "learning_rate": 0.01,
    "epochs": 2,
    "batch_size": 3,
    "gradient_accumulation": 2,
    "warmup_steps": 1,
    "max_tokens": 12,
}
OF_METHODS: Mapping[str, tuple[str, Any]] = {
    "variant": ("grpo", "dr_grpo"),
    "clip": ("grpo", 0.9),
    "clip_high": ("grpo", 99.0),
    "kl": ("grpo", 0.5),
    "beta": ("dpo", 0.9),
}
"""What only one method reads, and another value for it."""

Train = Callable[[TrainingSettings], Mapping[str, str]]


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def train(tiny_gguf: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Runs what the trainer's process runs, in this one. Gives the adapter's files."""
    folder = tmp_path_factory.mktemp("settings")
    rows = [{"prompt": f"Q{n}? ", "segments": [["yes" * (1 + n % 3), True], ["<|im_end|>", True]]} for n in range(12)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    base = Weights("tiny", tiny_gguf, sha256_of(tiny_gguf))
    (folder / "dpo.jsonl").write_text("".join(json.dumps({"right": a, "wrong": b}) + "\n" for a, b in pairwise(rows)))
    read = 3 + len("user\nq\nassistant\n")  # the marks of turns, and a token for each letter
    calls = [
        {"messages": [{"role": "user", "content": "q"}], "prefill": "", "read": read, "ids": ids, "logprobs": seen}
        for ids, seen in (([40, 41, 42], [-3.0, -9.0, -5.6]), ([50, 51], [-5.6, -5.2]), ([60], [-5.7]), ([70], [-9.0]))
    ]
    groups = [{"group": "1", "agreement": 0.5, "reward": n % 2, "calls": [call]} for n, call in enumerate(calls)]
    (folder / "grpo.jsonl").write_text("".join(json.dumps(row) + "\n" for row in groups))

    def trained(settings: TrainingSettings) -> Mapping[str, str]:
        dataset = folder / ("rows.jsonl" if settings.method == "rft" else f"{settings.method}.jsonl")
        shutil.rmtree(folder / "job", ignore_errors=True)  # with its checkpoint
        (folder / "job").mkdir()
        job = TrainingJob(base, dataset, folder / "out", 7, settings, deterministic=True)
        (folder / "job" / "job.json").write_text(json.dumps(described(job, cache)))
        main(folder / "job" / "job.json")
        files = (path for path in (folder / "out").rglob("*") if path.is_file())
        return {path.name: sha256_of(path) for path in files}

    return trained


BEFORE = TrainingSettings(rank=2, epochs=1, batch_size=4, warmup_steps=0, frozen_share=0.0, minimum_examples=1)


@pytest.fixture(scope="module")
def before(train: Train) -> Mapping[str, str]:
    return train(BEFORE)


def test_no_setting_is_forgotten_here() -> None:
    known = CHANGED.keys() | OF_METHODS.keys() | PRACTICE | OF_ENGINES
    assert known == TrainingSettings.model_fields.keys()


@pytest.mark.parametrize("key", CHANGED)
def test_a_setting_changes_the_adapter(train: Train, before: Mapping[str, str], key: str) -> None:
    after = train(BEFORE.model_copy(update={key: CHANGED[key]}))
    assert after["adapter_model.safetensors"] != before["adapter_model.safetensors"]
    assert after["merged.gguf"] != before["merged.gguf"]


@pytest.fixture(scope="module")
def before_with(train: Train) -> Callable[[str], Mapping[str, str]]:
    """The adapter that a method makes without a change."""
    return functools.cache(lambda method: train(BEFORE.model_copy(update={"method": method, "epochs": 2})))


@pytest.mark.parametrize("key", OF_METHODS)
def test_a_setting_of_a_method_changes_its_adapter(
    train: Train, before_with: Callable[[str], Mapping[str, str]], key: str
) -> None:
    method, value = OF_METHODS[key]
    after = train(BEFORE.model_copy(update={"method": method, "epochs": 2, key: value}))
    assert after["adapter_model.safetensors"] != before_with(method)["adapter_model.safetensors"]


def test_without_a_change_it_is_the_same(train: Train, before: Mapping[str, str]) -> None:
    assert train(BEFORE) == before
