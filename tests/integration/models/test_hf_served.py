"""Adapters that the engine `hf` trained on the embedded model, in full precision and in 4 bits, and who serves them."""

from pathlib import Path

import pytest

from agent0es.configuration import TrainingSettings
from agent0es.models.base import Deployment
from agent0es.models.openvino import OpenVinoBackend
from agent0es.models.transformers import TransformersBackend
from agent0es.testing.models import ask
from agent0es.training.base import Trained
from agent0es.training.hf import HuggingFace
from tests.integration.models.conftest import train_on_words

pytestmark = pytest.mark.slow
NEW_WORDS = ("orange", "bridge", "pencil", "monkey", "ladder", "winter")


@pytest.fixture(scope="module", params=["lora", "qlora"])
def of_hf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, base_cache: Path) -> Trained:
    if request.param == "qlora":
        pytest.importorskip("bitsandbytes", reason="the extra `quantized` is not installed")
    settings = TrainingSettings(
        engine="hf",
        peft_method=request.param,
        optimizer="adamw_8bit" if request.param == "qlora" else "adamw",
        gradient_checkpointing=True,
        rank=16,
        alpha=32.0,
        frozen_share=0.0,
        epochs=8,
    )
    return train_on_words(HuggingFace(), tmp_path_factory.mktemp(request.param), base_cache, settings)


async def test_openvino_serves_it_merged(openvino: OpenVinoBackend, of_hf: Trained) -> None:
    assert of_hf.loss[-1] < of_hf.loss[0] / 4
    await openvino.deploy(Deployment("of-hf", of_hf.artifacts))
    try:
        answers = await openvino.generate([ask(word, 12) for word in NEW_WORDS], "of-hf")
    finally:
        await openvino.retire("of-hf")
    right = sum(answer.text == f"Word: {word}!" for word, answer in zip(NEW_WORDS, answers, strict=True))
    assert right >= len(NEW_WORDS) - 1


@pytest.mark.parametrize("quantize", [None, "4bit"])
async def test_transformers_serves_it_hot(of_hf: Trained, base_cache: Path, quantize: str | None) -> None:
    if quantize:
        pytest.importorskip("bitsandbytes", reason="the extra `quantized` is not installed")
    backend = TransformersBackend.create("smollm2-135m-instruct", cache=base_cache, threads=1, quantize=quantize)
    try:
        [plain] = await backend.generate([ask("river", 12)])
        await backend.deploy(Deployment("of-hf", of_hf.artifacts))
        answers = await backend.generate([ask(word, 12) for word in ("river", *NEW_WORDS)], "of-hf")
    finally:
        await backend.close()
    assert answers[0].text == "Word: river!" != plain.text
    assert sum(answer.text.startswith("Word: ") for answer in answers) >= len(NEW_WORDS)
