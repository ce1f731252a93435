"""Loss and gradient of `grpo` and `dpo` are those of TRL's trainers on the same batch, same model, same adapter."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from agent0es.configuration import TrainingSettings
from agent0es.training.beginning import with_reference
from agent0es.training.examples import Example
from agent0es.training.methods.base import Unit
from agent0es.training.methods.dpo import Dpo
from agent0es.training.methods.grpo import Grpo, Sampled, clip_high
from agent0es.training.network import Network

pytestmark = pytest.mark.slow  # TRL takes longer to import than all of this takes to run

TARGETS = ("q_proj", "v_proj", "down_proj")
PAD = 0
LENGTHS = ((3, 5), (6, 2), (4, 9), (5, 7))
"""Of prompts and of what was written."""
LONGEST = 12
"""TRL's `max_completion_length`, which our `training.max_tokens` stands for."""


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    generator = torch.Generator().manual_seed(3)
    made = []
    for prompt, written in LENGTHS:
        ids = torch.randint(5, 250, (prompt + written,), generator=generator).tolist()
        made.append(Example(tuple(ids), (False,) * prompt + (True,) * written))
    return made


@pytest.fixture(scope="module")
def network(tiny_dir: Path) -> Network:
    torch.manual_seed(0)
    made = Network(tiny_dir, TARGETS, rank=4, alpha=8.0, dropout=0.0)
    for _, b in made.adapters.values():
        torch.nn.init.normal_(b.data, std=0.1)
    return made


@pytest.fixture
def theirs(tiny_dir: Path, network: Network) -> Any:
    """The same model of transformers and PEFT."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_dir, dtype=torch.float32)
    peft = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=list(TARGETS), task_type="CAUSAL_LM"))
    layers = dict(peft.named_modules())
    for path, (a, b) in network.adapters.items():
        layers[f"base_model.model.{path}"].lora_A["default"].weight.data.copy_(a)
        layers[f"base_model.model.{path}"].lora_B["default"].weight.data.copy_(b)
    return peft


@pytest.fixture(scope="module")
def tokenizer(tiny_dir: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    file = str(tiny_dir / "tokenizer.json")
    return PreTrainedTokenizerFast(tokenizer_file=file, pad_token="<|endoftext|>", eos_token="<|im_end|>")


@pytest.fixture(autouse=True)
def _no_gradients(network: Network) -> Iterator[None]:
    yield
    for parameter in network.parameters:
        parameter.grad = None


def nudged(network: Network, examples: Sequence[Example], by: float, seed: int) -> list[Tensor]:
    """What the policy gives for each example, with noise: as if the policy had been another when they were written."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        given = network.log_probabilities(examples).split([example.labels for example in examples])
    return [one + by * torch.randn(one.shape, generator=generator) for one in given]


def padded(rows: Sequence[Sequence[float]], *, left: bool = False) -> Tensor:
    width = max(map(len, rows))
    fill = [[PAD] * (width - len(row)) for row in rows]
    return torch.tensor([[*gap, *row] if left else [*row, *gap] for row, gap in zip(rows, fill, strict=True)])


def assert_same(network: Network, ours: Tensor, model: Any, expected: Tensor) -> None:
    model.zero_grad()
    ours.backward()
    expected.backward()
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)
    layers = dict(model.named_modules())
    for path, (a, b) in network.adapters.items():
        layer = layers[f"base_model.model.{path}"]
        torch.testing.assert_close(a.grad, layer.lora_A["default"].weight.grad, rtol=1e-3, atol=1e-6)
        torch.testing.assert_close(b.grad, layer.lora_B["default"].weight.grad, rtol=1e-3, atol=1e-6)
        assert b.grad is not None and float(b.grad.abs().max()) > 0


@pytest.mark.parametrize(
    ("theirs_is", "variant", "more"),
    [
        ("grpo", "grpo", {"clip_high": 0.2}),
        ("grpo", "grpo", {"kl": 0.3, "clip_high": 0.4}),
        ("dr_grpo", "dr_grpo", {"kl": 0.3}),
        ("dapo", "dapo", {"kl": 0.3}),
        ("bnpo", "dapo", {}),
    ],
)
def test_grpo(
    examples: list[Example],
    network: Network,
    theirs: Any,
    tokenizer: Any,
    tmp_path: Path,
    theirs_is: str,
    variant: str,
    more: Mapping[str, Any],
) -> None:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    settings = TrainingSettings(method="grpo", variant=variant, max_tokens=LONGEST, **more)
    advantages = [0.7, -1.2, 0.4, -0.3]
    recorded, reference = nudged(network, examples, 0.3, seed=5), nudged(network, examples, 0.2, seed=6)
    units = [
        Sampled(
            examples=(example,),
            weight=float(example.labels) if variant == "dapo" else 1.0,
            reference=ref,
            recorded=tuple(old.tolist()),
            reward=0.0,
            advantage=advantage,
            above=clip_high(1.0, settings),
        )
        for example, old, ref, advantage in zip(examples, recorded, reference, advantages, strict=True)
    ]
    loss, metrics = Grpo().loss(network.log_probabilities(examples), units, settings)
    ours = loss / sum(unit.weight for unit in units)
    assert metrics["clipped"] > 0, "otherwise nothing is said of clipping"

    config = GRPOConfig(
        output_dir=str(tmp_path),
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        per_device_train_batch_size=len(examples),
        num_generations=2,
        max_completion_length=LONGEST,
        loss_type=theirs_is,
        epsilon=settings.clip,
        epsilon_high=units[0].above,
        beta=settings.kl,
    )
    trainer = GRPOTrainer(
        model=theirs,
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=config,
        train_dataset=Dataset.from_list([{"prompt": "x"}, {"prompt": "y"}]),
        processing_class=tokenizer,
    )
    trainer.current_gradient_accumulation_steps = 1
    prompts = [[*example.ids[: -example.labels]] for example in examples]
    written = [[*example.ids[-example.labels :]] for example in examples]
    inputs = {
        "prompt_ids": padded(prompts, left=True),
        "prompt_mask": padded([[1] * len(row) for row in prompts], left=True),
        "completion_ids": padded(written),
        "completion_mask": padded([[1] * len(row) for row in written]),
        "advantages": torch.tensor(advantages),
        "old_per_token_logps": padded([old.tolist() for old in recorded]),
        "ref_per_token_logps": padded([ref.tolist() for ref in reference]),
        "num_items_in_batch": torch.tensor(sum(map(len, written))),
    }
    theirs.train()
    assert_same(network, ours, theirs, trainer._compute_loss(theirs, inputs))


def test_dpo(examples: list[Example], network: Network, theirs: Any, tokenizer: Any, tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    settings = TrainingSettings(method="dpo", beta=0.25)
    begun = with_reference(network, [Unit((one,), 1.0) for one in examples], 4)
    reference = [unit.reference for unit in begun if unit.reference is not None]
    with torch.no_grad():  # the policy has learnt since
        for _, b in network.adapters.values():
            b.mul_(1.5)
    layers = dict(theirs.named_modules())
    for path, (_, b) in network.adapters.items():
        layers[f"base_model.model.{path}"].lora_B["default"].weight.data.copy_(b)
    units = [
        replace(
            Unit((examples[right], examples[wrong]), 1.0), reference=torch.cat([reference[right], reference[wrong]])
        )
        for right, wrong in ((0, 1), (2, 3))
    ]
    loss, metrics = Dpo().loss(
        network.log_probabilities([example for unit in units for example in unit.examples]), units, settings
    )
    assert metrics["margin"] != 0

    config = DPOConfig(
        output_dir=str(tmp_path),
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        per_device_train_batch_size=2,
        beta=0.25,
    )
    rows = [{"prompt": "x", "chosen": "y", "rejected": "z"}]
    trainer = DPOTrainer(model=theirs, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    trainer.precompute_ref_logps = True  # ours are given below
    order = [examples[place] for place in (0, 2, 1, 3)]  # the right ones first
    sums = [float(reference[place].sum()) for place in (0, 2, 1, 3)]
    inputs = {
        "input_ids": padded([[*example.ids] for example in order]),
        "attention_mask": padded([[1] * len(example.ids) for example in order]),
        "completion_mask": padded([[int(learn) for learn in example.trainable] for example in order]),
        "ref_chosen_logps": torch.tensor(sums[:2]),
        "ref_rejected_logps": torch.tensor(sums[2:]),
    }
    theirs.train()
    expected = trainer._compute_loss(theirs, inputs, False)
    assert_same(network, loss / len(units), theirs, expected)
