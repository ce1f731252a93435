"""The engine `hf`: it computes what `packed` does, trains other architectures, in 4 bits too, in little memory."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agent0es.configuration import TrainingSettings
from agent0es.errors import ModelNotFound
from agent0es.models.artifacts import CONFIG, LORA_GGUF, MERGED, WEIGHTS, Artifacts
from agent0es.models.base import Weights
from agent0es.models.made_once import sha256_of
from agent0es.training.base import TrainingJob
from agent0es.training.examples import Example
from agent0es.training.hf import HuggingFace
from agent0es.training.network import Network
from agent0es.training.optimizers import optimizer_of
from agent0es.training.packed import Packed
from agent0es.training.peft_policy import WASTE, PeftPolicy, alike
from agent0es.training.process import main
from agent0es.training.trainer import described
from tests.support.tiny_folder import write_tiny_folder

SETTINGS = TrainingSettings(engine="hf", rank=4, alpha=8.0, frozen_share=0.0, precision="fp32")
CONV = ("c_attn", "c_fc")
"""Of GPT-2, whose matrices lie the other way round."""
QUICK = {"learning_rate": 0.02, "epochs": 6, "batch_size": 4, "warmup_steps": 0}


def with_settings(**changes: Any) -> TrainingSettings:
    return SETTINGS.model_copy(update=changes)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more would spin over so small matrices
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    """Texts of very different lengths, three tokens of every four to be learnt."""
    generator = torch.Generator().manual_seed(1)
    made = []
    for length in (8, 33, 12, 12, 20):
        ids = torch.randint(3, 250, (length,), generator=generator).tolist()
        made.append(Example(tuple(ids), tuple(n > 2 and bool(n % 4) for n in range(length))))
    return made


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of an architecture with nothing in common with llama but its vocabulary here."""
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = write_tiny_folder(tmp_path_factory.mktemp("gpt2") / "gpt2")
    size = json.loads((folder / "config.json").read_text())["vocab_size"]
    config = GPT2Config(
        vocab_size=size,
        n_embd=64,
        n_layer=2,
        n_head=4,
        n_positions=512,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(0)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def filled(policy: PeftPolicy) -> PeftPolicy:
    """With values in B, so that every gradient is there."""
    torch.manual_seed(3)
    for name, value in policy.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value.data, std=0.05)
    return policy


@pytest.mark.parametrize("base", ["tiny_dir", "tiny_qwen2_dir"])
@pytest.mark.parametrize("changes", [{}, {"frozen_share": 0.5, "gradient_checkpointing": True}])
def test_log_probabilities_and_gradients_are_those_of_packed(
    request: pytest.FixtureRequest, examples: list[Example], base: str, changes: dict[str, Any]
) -> None:
    settings = with_settings(**changes)
    folder: Path = request.getfixturevalue(base)
    policy = filled(PeftPolicy(folder, settings))
    network = Network(folder, settings.target_modules, 4, 8.0, 0.0, frozen_share=settings.frozen_share)
    tensors, config = policy.adapter()
    assert network.adapter()[0].keys() == tensors.keys()
    assert network.adapter()[1] == config
    theirs = dict(policy.model.named_parameters())
    for path, pair in network.adapters.items():
        for part, ours in zip("AB", pair, strict=True):
            ours.data.copy_(tensors[f"base_model.model.{path}.lora_{part}.weight"])

    found, expected = policy.log_probabilities(examples), network.log_probabilities(examples)
    assert len(found) == sum(example.labels for example in examples)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    weights = torch.linspace(-1.0, 2.0, len(found))  # as a method may weigh tokens
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    for path, pair in network.adapters.items():
        for part, ours in zip("AB", pair, strict=True):
            grad = theirs[f"base_model.model.{path}.lora_{part}.default.weight"].grad
            torch.testing.assert_close(grad, ours.grad, rtol=1e-3, atol=1e-4)


def test_it_does_not_matter_of_which_tokens_logits_are_made(tiny_dir: Path, examples: list[Example]) -> None:
    """On several GPUs, and for architectures that can't leave any out."""
    policy = filled(PeftPolicy(tiny_dir, SETTINGS))
    learnt = policy.log_probabilities(examples)
    nothing = Example(examples[1].ids, (False,) * len(examples[1].ids))
    for keeps in ("last", "all"):
        policy.keeps = keeps  # type: ignore[assignment]
        torch.testing.assert_close(policy.log_probabilities(examples), learnt)
        assert len(policy.log_probabilities([nothing])) == 0


@given(st.lists(st.integers(1, 2000), max_size=40))
def test_texts_of_about_the_same_length_are_computed_together(lengths: list[int]) -> None:
    lists = alike(lengths)
    assert sorted(place for places in lists for place in places) == list(range(len(lengths)))
    for places in lists:
        longest = max(lengths[place] for place in places)
        assert all(longest - lengths[place] <= WASTE * longest for place in places)
    longest_first = [lengths[places[0]] for places in lists]
    assert longest_first == sorted(longest_first, reverse=True), "what takes most memory comes first"


def kept_for_the_way_back(policy: PeftPolicy, examples: list[Example]) -> int:
    """Bytes that the graph holds when the log-probabilities are there."""
    kept: dict[int, int] = {}
    frozen = {value.data_ptr() for value in policy.model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.data_ptr() not in frozen:
            kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        policy.log_probabilities(examples).sum().backward()
    return sum(kept.values())


def test_gradient_checkpointing_keeps_less_and_gives_the_same_gradients(
    tiny_dir: Path, examples: list[Example]
) -> None:
    plain, sparing = (filled(PeftPolicy(tiny_dir, with_settings(gradient_checkpointing=on))) for on in (False, True))
    assert kept_for_the_way_back(sparing, examples) < 0.5 * kept_for_the_way_back(plain, examples)
    for ours, theirs in zip(sparing.parameters, plain.parameters, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)


def test_in_bf16_the_frozen_weights_are_and_the_adapter_is_not(tiny_dir: Path, examples: list[Example]) -> None:
    exact, rounded = (filled(PeftPolicy(tiny_dir, with_settings(precision=one))) for one in ("fp32", "bf16"))
    assert {one.dtype for one in rounded.parameters} == {torch.float32}
    assert {one.dtype for one in rounded.model.parameters() if not one.requires_grad} == {torch.bfloat16}
    found = [policy.log_probabilities(examples) for policy in (exact, rounded)]
    assert found[1].dtype == torch.float32 and not torch.equal(*found)
    torch.testing.assert_close(found[1].sum(), found[0].sum(), rtol=0.02, atol=0.0)


def test_the_settings_of_an_adapter_are_those_of_its_matrices(tiny_dir: Path) -> None:
    settings = with_settings(rank=3, alpha=12.0, dropout=0.25, target_modules=("q_proj", "down_proj"), frozen_share=0.5)
    tensors, config = PeftPolicy(tiny_dir, settings).adapter()
    assert {name.split(".")[4] for name in tensors} == {"1"}
    assert {name.split(".")[6] for name in tensors} == {"q_proj", "down_proj"}
    assert {tensor.shape[0] for name, tensor in tensors.items() if "lora_A" in name} == {3}
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (3, 12.0, 0.25)
    torch.manual_seed(5)
    first = PeftPolicy(tiny_dir, settings).adapter()[0]
    torch.manual_seed(5)
    again = PeftPolicy(tiny_dir, settings).adapter()[0]
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], tensors[name]) for name in first)


def test_dropout_acts_on_the_adapter_alone(gpt2: Path, examples: list[Example]) -> None:
    """GPT-2 has one of its own, which is of no use here."""
    plain, dropping = (
        filled(PeftPolicy(gpt2, with_settings(target_modules=CONV, dropout=share))) for share in (0.0, 0.5)
    )
    small = [Example(tuple(one % 200 for one in example.ids), example.trainable) for example in examples]
    assert torch.equal(plain.log_probabilities(small), plain.log_probabilities(small))
    assert not torch.equal(dropping.log_probabilities(small), dropping.log_probabilities(small))
    with torch.no_grad():
        assert torch.equal(dropping.log_probabilities(small), dropping.log_probabilities(small)), "no gradient"


def trained(base: Path, cache: Path, folder: Path, settings: TrainingSettings) -> tuple[Artifacts, list[float]]:
    """What the trainer's process leaves, run in this one, where it must be the same at any time."""
    folder.mkdir(exist_ok=True)
    rows = [{"prompt": f"Q{n}? ", "segments": [["yes" * (1 + n % 3), True], ["<|im_end|>", True]]} for n in range(12)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    job = TrainingJob(
        Weights("tiny", base, "-"), folder / "rows.jsonl", folder / "out", 7, settings, deterministic=True
    )
    (folder / "job.json").write_text(json.dumps(described(job, cache)))
    said: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agent0es.training.process._say", said.append)
        main(folder / "job.json")
    return Artifacts.measure(folder / "out"), said[-1]["done"]["loss"]


def test_an_adapter_of_another_architecture_is_served_hot(gpt2: Path, cache: Path, tmp_path: Path) -> None:
    from agent0es.models.transformers.adapters import Adapters
    from agent0es.models.transformers.loading import load
    from agent0es.models.transformers.settings import Settings

    settings = with_settings(target_modules=CONV, **QUICK)
    assert HuggingFace().why_not(Weights("gpt2", gpt2, "-"), settings) is None
    artifacts, losses = trained(gpt2, cache, tmp_path, settings)
    assert losses[-1] < losses[0] / 2
    assert sorted(artifacts.files) == [CONFIG, WEIGHTS], "a folder's adapter has one form"

    loaded = load(gpt2, Settings(device="cpu", threads=1), "")
    ids = loaded.tokenizer("Q1? yesyes", return_tensors="pt").input_ids
    served = Adapters(loaded.model)
    before = served.model(input_ids=ids, labels=ids).loss
    served.deploy("student-1", artifacts)
    after = served.model(input_ids=ids, labels=ids, **served.keywords(["student-1"])).loss
    assert after < before / 2


def test_an_adapter_of_a_gguf_has_every_form(tiny_gguf: Path, cache: Path, tmp_path: Path) -> None:
    artifacts, losses = trained(tiny_gguf, cache, tmp_path, with_settings(**QUICK))
    assert losses[-1] < losses[0]
    assert sorted(artifacts.files) == [CONFIG, WEIGHTS, LORA_GGUF, MERGED]
    torch.rand(3)
    again, _ = trained(tiny_gguf, cache, tmp_path / "again", with_settings(**QUICK))
    assert again.files == artifacts.files


def test_weights_in_four_bits_are_trained_on(tiny_gguf: Path, tiny_dir: Path, cache: Path, tmp_path: Path) -> None:
    bitsandbytes = pytest.importorskip("bitsandbytes", reason="the extra `quantized` is not installed")
    settings = with_settings(peft_method="qlora", optimizer="adamw_8bit", rank=64, **QUICK)
    model = PeftPolicy(tiny_dir, settings).model
    layers = [module for module in model.modules() if isinstance(module, bitsandbytes.nn.Linear4bit)]
    assert len(layers) == 2 * 7
    assert {layer.weight.quant_type for layer in layers} == {"nf4"}
    assert all(layer.weight.quant_state.nested for layer in layers), "its scales are quantized too"
    artifacts, losses = trained(tiny_gguf, cache, tmp_path, settings)
    assert losses[-1] < losses[0] / 2
    assert sorted(artifacts.files) == [CONFIG, WEIGHTS, LORA_GGUF, MERGED]


def test_the_optimizer_keeps_its_averages_in_eight_bits_and_goes_on_from_them() -> None:
    pytest.importorskip("bitsandbytes", reason="the extra `quantized` is not installed")

    def moved(name: str, steps: int, before: Any = None) -> tuple[torch.Tensor, torch.optim.Optimizer]:
        torch.manual_seed(0)
        matrix = torch.nn.Parameter(torch.randn(128, 64))
        optimizer = optimizer_of([matrix], with_settings(optimizer=name, learning_rate=0.1))
        if before is not None:
            matrix.data.copy_(before[0])
            optimizer.load_state_dict(before[1])
        for _ in range(steps):
            optimizer.zero_grad()
            (matrix**2).sum().backward()
            optimizer.step()
        return matrix.detach(), optimizer

    kept = {}
    for name in ("adamw", "adamw_8bit"):
        matrix, optimizer = moved(name, 20)
        assert matrix.abs().mean() < 0.3
        [state] = optimizer.state.values()
        kept[name] = sum(one.numel() * one.element_size() for one in state.values() if isinstance(one, torch.Tensor))
        half, optimizer = moved(name, 10)
        stored = io.BytesIO()
        torch.save((half, optimizer.state_dict()), stored)  # as a checkpoint is
        assert torch.equal(moved(name, 10, torch.load(io.BytesIO(stored.getvalue()), weights_only=True))[0], matrix)
    assert kept["adamw_8bit"] < kept["adamw"] / 3


NO_BITSANDBYTES = r"needs bitsandbytes: pip install '\.\[quantized\]' in a checkout of agent0es"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target_modules": ("c_attn",)}, "training.target_modules: c_attn; choose from down_proj, gate_proj, k_proj"),
        ({"target_modules": ()}, r"training.target_modules: \[\]; choose from down_proj"),
        ({"target_modules": ("proj",)}, "training.target_modules: proj; choose from"),
        ({"target_modules": ("mlp.up_proj",)}, None),
        ({"peft_method": "qlora"}, f"training.peft_method: qlora {NO_BITSANDBYTES}"),
        ({"optimizer": "adamw_8bit"}, f"training.optimizer: adamw_8bit {NO_BITSANDBYTES}"),
    ],
)
def test_what_can_not_be_trained_is_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str | None
) -> None:
    monkeypatch.setattr("agent0es.training.trainable.find_spec", lambda name: None)
    base = Weights("tiny", write_tiny_folder(tmp_path / "tiny"), "-")
    why = HuggingFace().why_not(base, with_settings(**changes))
    assert (why is None) if said is None else re.match(said, why or "")


def test_so_is_a_folder_that_lacks_something(tmp_path: Path) -> None:
    def why(name: str) -> str | None:
        return HuggingFace().why_not(Weights(name, tmp_path / name, "-"), SETTINGS)

    (write_tiny_folder(tmp_path / "a") / "tokenizer.json").unlink()
    assert why("a") == "a: it has no tokenizer.json, from which training knows where a token begins and ends"
    write_tiny_folder(tmp_path / "b", quantization_config={"quant_method": "gptq"})
    assert why("b") == "b: its weights are quantized already (gptq); take the model as it was published"
    (write_tiny_folder(tmp_path / "c") / "model.safetensors").write_bytes(b"\xff" * 100)
    assert (why("c") or "").startswith(f"{tmp_path / 'c' / 'model.safetensors'}: can't be read: ")
    (write_tiny_folder(tmp_path / "d") / "chat_template.jinja").write_text("{{ messages[0].content }}")
    assert "d" in (why("d") or "")


def test_packed_names_the_engine_that_can(tiny_gguf: Path) -> None:
    base = Weights("tiny", tiny_gguf, sha256_of(tiny_gguf))
    assert Packed().why_not(base, with_settings(peft_method="qlora")) == (
        "training.peft_method: packed trains lora alone; set training.engine: hf for qlora"
    )
    assert Packed().why_not(base, with_settings(gradient_checkpointing=True)) == (
        "training.gradient_checkpointing: packed has none; leave it out, or set training.engine: hf"
    )


def test_what_transformers_does_not_take_is_said_in_a_line(tmp_path: Path) -> None:
    folder = write_tiny_folder(tmp_path / "odd", model_type="nobody_knows")
    with pytest.raises(ModelNotFound, match=r"^odd: transformers can't load it: ") as caught:
        PeftPolicy(folder, SETTINGS)
    assert "\n" not in str(caught.value)
