"""What can't be trained, or served when it is, is refused before a run begins."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import gguf
import pytest

from agent0es.configuration import TrainingSettings, load_configuration
from agent0es.errors import ConfigurationError
from agent0es.log import EventLog
from agent0es.models.base import Capabilities, Weights
from agent0es.models.factory import create_backend
from agent0es.models.gguf_file import GgufFile
from agent0es.models.hugging_face_folder import why_not_exported
from agent0es.models.scripted import ScriptedBackend
from agent0es.runs.models import why_alike
from agent0es.training.base import why_not_trained
from agent0es.training.hf import HuggingFace
from agent0es.training.network import GROUPS
from agent0es.training.packed import Packed
from agent0es.training.trainable import LAYERS
from tests.integration.training.tiny_model import write_tiny_gguf
from tests.support.commands import invoke
from tests.support.templates import DEEPSEEK_R1
from tests.support.tiny_folder import write_tiny_folder

SETTINGS = TrainingSettings()


@pytest.fixture
def qwen(tmp_path: Path) -> Path:
    """The beginning of a file of another architecture."""
    writer = gguf.GGUFWriter(tmp_path / "qwen.gguf", "qwen3")
    writer.add_tokenizer_model("gpt2")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tmp_path / "qwen.gguf"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"general.architecture": "gemma"}, "needs a GGUF of the architecture llama or qwen2, this is gemma"),
        ({"tokenizer.ggml.pre": "llama-bpe"}, r"the tokenizers smollm, qwen2 \(gpt2\), not llama-bpe \(gpt2\)"),
        ({"tokenizer.ggml.merges": None}, "does not say tokenizer.ggml.merges"),
        ({"llama.rope.scaling.factor": 8.0}, r"no scaled positions \(llama.rope.scaling.factor\)"),
        ({"llama.attention.key_length": 256}, "heads whose sizes"),
        ({"llama.rope.dimension_count": 8}, "rotates them whole"),
        ({"llama.attention.sliding_window": 4096}, "no sliding window"),
        ({"tokenizer.ggml.add_bos_token": True}, "begins every text with a token"),
    ],
)
def test_why_a_file_can_not_be_trained(tiny_gguf: Path, changes: dict[str, Any], said: str) -> None:
    file = GgufFile.open(tiny_gguf)
    assert why_not_exported(file) is None
    metadata = {key: value for key, value in (file.metadata | changes).items() if value is not None}
    assert re.search(said, why_not_exported(dataclasses.replace(file, metadata=metadata)) or "")


def test_a_hugging_face_folder_is_for_another_trainer(tmp_path: Path) -> None:
    why = Packed().why_not(Weights("tiny", write_tiny_folder(tmp_path / "tiny"), ""), SETTINGS)
    assert why == "tiny: packed trains from a GGUF file, and this is a Hugging Face folder; set training.engine: hf"


def test_biases_belong_to_qwen2(tiny_gguf: Path, tiny_qwen2_gguf: Path) -> None:
    qwen2, llama = GgufFile.open(tiny_qwen2_gguf), GgufFile.open(tiny_gguf)
    assert why_not_exported(qwen2) is None
    assert "does not know the tensor blk.0.attn_q.bias" in (
        why_not_exported(dataclasses.replace(llama, tensors=qwen2.tensors)) or ""
    )


def test_a_file_with_a_tensor_of_another_kind_can_not_be_trained(tiny_gguf: Path) -> None:
    file = GgufFile.open(tiny_gguf)
    router = {"blk.0.ffn_gate_inp.weight": next(iter(file.tensors.values()))}
    assert "does not know the tensor blk.0.ffn_gate_inp.weight" in (
        why_not_exported(dataclasses.replace(file, tensors=file.tensors | router)) or ""
    )


def test_the_trainer_knows_the_layers_that_it_trains(tiny_gguf: Path, tmp_path: Path) -> None:
    assert tuple(name for _, names in GROUPS for name in names) == LAYERS
    trainer, base = Packed(), Weights("tiny", tiny_gguf, "-")
    assert trainer.why_not(base, SETTINGS) is None
    assert trainer.why_not(base, SETTINGS.model_copy(update={"target_modules": ("c_attn",)})) == (
        f"training.target_modules: c_attn; choose from {', '.join(LAYERS)}"
    )


def test_a_model_whose_template_rewrites_its_turns_can_not_be_trained(tmp_path: Path) -> None:
    file = write_tiny_gguf(tmp_path / "r1.gguf", "qwen2", template=DEEPSEEK_R1.source)
    why = Packed().why_not(Weights("r1", file, "-"), SETTINGS)
    assert why is not None and why.startswith("r1: the model's chat template writes turn 3 in another way when others")


def test_what_is_made_must_be_what_is_served(tiny_gguf: Path, tmp_path: Path) -> None:
    model = ScriptedBackend(lambda *_: "", weights=Weights("tiny", tiny_gguf, "-"))
    trainer = Packed()
    assert why_not_trained(trainer, model, SETTINGS) is None
    model.capabilities = Capabilities(adapters=frozenset())
    assert why_not_trained(trainer, model, SETTINGS) == (
        "scripted can't serve what packed makes of it (serves: none; is made: lora-gguf, merged, peft)"
    )


def test_policy_gradient_needs_the_tokens_and_their_probabilities(tiny_gguf: Path) -> None:
    model = ScriptedBackend(lambda *_: "", weights=Weights("tiny", tiny_gguf, "-"))
    grpo = SETTINGS.model_copy(update={"method": "grpo"})
    assert why_not_trained(Packed(), model, grpo) is None
    for lacks in ("logprobs", "token_ids"):
        model.capabilities = dataclasses.replace(ScriptedBackend.capabilities, **{lacks: False})
        assert why_not_trained(Packed(), model, grpo) == (
            "scripted does not say which tokens it writes and how likely they were, and training.method grpo learns "
            "from these; set training.method to rft or dpo"
        )
        assert why_not_trained(Packed(), model, SETTINGS) is None


def test_of_a_folder_an_adapter_has_one_form(tmp_path: Path) -> None:
    folder = Weights("tiny", write_tiny_folder(tmp_path / "tiny"), "-")
    model = ScriptedBackend(lambda *_: "", weights=folder)
    model.capabilities = Capabilities(adapters=frozenset({"peft"}))
    assert why_not_trained(HuggingFace(), model, SETTINGS) is None
    model.capabilities = Capabilities(adapters=frozenset({"merged", "lora-gguf"}))
    assert why_not_trained(HuggingFace(), model, SETTINGS) == (
        "scripted can't serve what hf makes of it (serves: lora-gguf, merged; is made: peft)"
    )


def test_vllm_may_be_told_of_a_folder(tmp_path: Path) -> None:
    folder = write_tiny_folder(tmp_path / "tiny")
    model = create_backend("openai-compatible", "tiny", base_url="http://127.0.0.1:9", weights=str(folder))
    assert model.weights is not None and model.weights.path == folder
    assert HuggingFace().why_not(model.weights, SETTINGS) is None


@pytest.mark.parametrize("method", ["dpo", "grpo"])
@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("execution.attempts=1", "set execution.attempts to 2 or more"),
        ("models.student.temperature=0", "they are all the same; set it above 0"),
    ],
)
def test_a_method_that_compares_attempts_needs_several_that_can_differ(
    tmp_path: Path, method: str, setting: str, said: str
) -> None:
    words = ("run", "--set", f"training.method={method}", "--set", setting)
    refused = invoke(tmp_path / "store", *words).exception
    assert isinstance(refused, ConfigurationError)
    assert f"training.method: {method} compares attempts at the same task" in str(refused) and said in str(refused)
    assert why_alike(load_configuration(overrides=[setting])) is None, "rft takes what was right"
    assert why_alike(load_configuration(overrides=[f"training.method={method}"])) is None


def test_a_run_does_not_begin_with_what_can_not_be_trained(tmp_path: Path, qwen: Path) -> None:
    model = f"{{backend: scripted, name: 'tests.support.scripted:respond', options: {{weights: {qwen}}}}}"
    given = [word for role in ("student", "teacher") for word in ("--set", f"models.{role}={model}")]
    refused = invoke(tmp_path / "store", "run", *given).exception
    assert isinstance(refused, ConfigurationError)
    assert str(refused) == (
        "models.student: qwen.gguf: training needs a GGUF of the architecture llama or qwen2, this is qwen3; choose "
        "another model, or leave student out of training.roles"
    )
    with EventLog.open(tmp_path / "store" / "log.db", read_only=True) as log:
        assert not log.runs()
