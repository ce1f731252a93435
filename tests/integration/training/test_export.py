"""What is exported answers as the adapter does under PEFT: in transformers' own reader of GGUF, and in llama.cpp."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from agent0es.models.gguf_file import GgufFile
from agent0es.models.gguf_writer import MatrixType
from agent0es.training.export.adapter import read_adapter
from agent0es.training.export.gguf import write_lora, write_merged

IDS = [1, *range(20, 60)]
ENDS = (2, 9, 17, 30, len(IDS))
"""Where the next token is asked for."""
PRINTABLE = 50
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {"r": 4, "lora_alpha": 8},
    "a rank and an alpha of their own": {
        "r": 4,
        "lora_alpha": 8,
        "use_rslora": True,
        "rank_pattern": {"q_proj": 8},
        "alpha_pattern": {"layers.1.mlp.up_proj": 24},
    },
}


@dataclass(frozen=True, slots=True)
class Trained:
    """A tiny model with a random adapter."""

    gguf: Path
    adapter: Path
    expected: Tensor
    """Log-probabilities under PEFT in fp32, (token, vocabulary)."""
    without: Tensor
    """Those of the base."""

    def exported(self, folder: Path, form: MatrixType | str) -> tuple[Path, Path | None]:
        """(model, adapter beside it)."""
        base, additions = GgufFile.open(self.gguf), read_adapter(self.adapter)
        if form == "lora":
            write_lora(base, folder / "lora.gguf", additions)
            return self.gguf, folder / "lora.gguf"
        write_merged(base, folder / f"{form}.gguf", additions, "F16" if form == "F16" else "Q8_0")
        return folder / f"{form}.gguf", None


@pytest.fixture(scope="module", params=[(base, name) for base in ("tiny", "tiny_qwen2") for name in VARIANTS], ids=str)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    name, variant = request.param
    folder = tmp_path_factory.mktemp("adapter")
    base = AutoModelForCausalLM.from_pretrained(request.getfixturevalue(f"{name}_dir"), dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(target_modules="all-linear", **VARIANTS[variant])).eval()
    torch.manual_seed(0)
    for path, parameter in model.named_parameters():
        if "lora_" in path:
            torch.nn.init.normal_(parameter.data, std=0.15)
    model.save_pretrained(folder)
    with torch.inference_mode(), model.disable_adapter():
        without = model(input_ids=torch.tensor([IDS])).logits[0].log_softmax(-1)
    with torch.inference_mode():
        expected = model(input_ids=torch.tensor([IDS])).logits[0].log_softmax(-1)
    return Trained(request.getfixturevalue(f"{name}_gguf"), folder, expected, without)


def test_a_merged_file_in_f16_is_the_adapter_to_transformers(trained: Trained, tmp_path: Path) -> None:
    """Which has a reader of its own for the names and the order of rows."""
    from transformers import AutoModelForCausalLM

    gguf, _ = trained.exported(tmp_path, "F16")
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    with torch.inference_mode():
        found = model(input_ids=torch.tensor([IDS])).logits[0].log_softmax(-1)
    assert (trained.without - trained.expected).abs().max() > 1, "otherwise there is nothing to see"
    assert (found - trained.expected).abs().max() < 0.05


@pytest.mark.parametrize(("form", "bound"), [("F16", 0.05), ("lora", 0.05), ("Q8_0", 0.5)])
def test_llama_cpp_answers_as_peft_does(trained: Trained, tmp_path: Path, form: str, bound: float) -> None:
    """Over the whole vocabulary; a matrix of 64 columns has little to average Q8_0's error over."""
    pytest.importorskip("xllamacpp", reason="llama.cpp is the judge: pip install xllamacpp")
    from tests.support.llama_cpp import LlamaServer

    server = LlamaServer(*trained.exported(tmp_path, form))
    vocabulary = trained.expected.shape[1]
    for end in ENDS:
        found = server.distribution(IDS[:end], vocabulary, PRINTABLE)
        assert (found - trained.expected[end - 1]).abs().max() < bound


def test_the_matrices_beside_a_base_are_what_was_merged(trained: Trained, tmp_path: Path) -> None:
    merged, lora = GgufFile.open(trained.exported(tmp_path, "F16")[0]), trained.exported(tmp_path, "lora")[1]
    assert lora is not None
    base, beside = GgufFile.open(trained.gguf), GgufFile.open(lora)
    assert beside.metadata["general.architecture"] == base.metadata["general.architecture"]
    assert (beside.metadata["general.type"], beside.metadata["adapter.type"]) == ("adapter", "lora")
    adapted = [name for name in base.tensors if f"{name}.lora_a" in beside.tensors]
    assert len(beside.tensors) == 2 * len(adapted) == 2 * 14
    for name in adapted:
        a, b = beside.values(f"{name}.lora_a"), beside.values(f"{name}.lora_b")
        added = beside.metadata["adapter.lora.alpha"] / len(a) * (b @ a)
        assert np.abs(base.values(name) + added - merged.values(name)).max() < 2e-3


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A minimal one, as PEFT would leave it."""
    folder = tmp_path / "adapter"
    folder.mkdir()
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "bias": "none", "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    path = "base_model.model.model.layers.0.self_attn.q_proj"
    tensors = {f"{path}.lora_A.weight": torch.ones(2, 64), f"{path}.lora_B.weight": torch.ones(64, 2)}
    save_file(tensors, folder / "adapter_model.safetensors")
    return folder


def configured(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return change


def with_tensor(name: str, tensor: Tensor) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "adapter_model.safetensors"
        save_file(load_file(file) | {f"base_model.model.model.{name}": tensor}, file)

    return change


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "another kind": (configured(peft_type="IA3"), "only LoRA adapters can be exported, this is IA3"),
    "DoRA": (configured(use_dora=True), r"its use_dora \(true\) can't be exported"),
    "whole modules": (configured(modules_to_save=["lm_head"]), r'its modules_to_save \(\["lm_head"\]\) can\'t be'),
    "biases": (configured(bias="lora_only"), r"biases were trained too \(bias: lora_only\)"),
    "a base that was changed": (configured(init_lora_weights="pissa"), "training changed the base .* pissa"),
    "what PEFT will invent": (configured(use_wonders=3), r"its use_wonders \(3\) can't be exported"),
    "an embedding": (with_tensor("embed_tokens.lora_embedding_A", torch.ones(2, 288)), "which is more than LoRA's A"),
    "half a pair": (with_tensor("layers.1.mlp.up_proj.lora_A.weight", torch.ones(2, 64)), "up_proj has no B"),
    "another rank": (configured(r=3), r"q_proj should have rank 3, but its matrices are \[2, 64\], \[64, 2\]"),
    "no rank": (configured(r=None), "not a readable adapter: TypeError"),
    "no JSON": (lambda folder: (folder / "adapter_config.json").write_text("{"), "not a readable adapter: JSONDec"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_can_not_be_exported_is_refused_by_name(adapter: Path, kind: str) -> None:
    assert read_adapter(adapter)["model.layers.0.self_attn.q_proj"].scale == 2.0
    change, said = REFUSED[kind]
    change(adapter)
    with pytest.raises(ValueError, match=said) as caught:
        read_adapter(adapter)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "rows", "said"),
    [
        ("layers.7.mlp.up_proj", 96, r"has no model\.layers\.7\.mlp\.up_proj, to which the adapter adds something"),
        ("layers.1.mlp.up_proj", 95, r"up_proj is \[96, 64\], the adapter's \[95, 64\]"),
    ],
)
@pytest.mark.parametrize("write", [write_merged, write_lora])
def test_an_adapter_of_another_base_is_refused(
    tiny_gguf: Path, adapter: Path, write: Callable[..., None], name: str, rows: int, said: str
) -> None:
    with_tensor(f"{name}.lora_A.weight", torch.ones(2, 64))(adapter)
    with_tensor(f"{name}.lora_B.weight", torch.ones(rows, 2))(adapter)
    with pytest.raises(ValueError, match=said):
        write(GgufFile.open(tiny_gguf), adapter / "out.gguf", read_adapter(adapter))
    assert not (adapter / "out.gguf").exists()


def test_a_scale_of_zero_adds_nothing(tiny_gguf: Path, adapter: Path) -> None:
    """An alpha of 0 means to llama.cpp that there is none."""
    configured(lora_alpha=0)(adapter)
    write_lora(GgufFile.open(tiny_gguf), adapter / "lora.gguf", read_adapter(adapter))
    written = GgufFile.open(adapter / "lora.gguf")
    assert written.metadata["adapter.lora.alpha"] == 1
    assert not written.values("blk.0.attn_q.weight.lora_b").any()
