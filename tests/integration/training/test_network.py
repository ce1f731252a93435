"""The trainer's network computes what transformers and PEFT compute."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere

from agent0es.configuration import TrainingSettings
from agent0es.training.examples import Example
from agent0es.training.network import Network, Precision

ALL_LINEAR = TrainingSettings().target_modules


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    """Texts of different lengths, most tokens of them to be learnt: some begin with the same three tokens, others with
    the same five, one with neither."""
    generator = torch.Generator().manual_seed(1)
    made = []
    beginnings = ((1, 7, 9), (2, 8, 8, 4, 6), (1, 7, 9), (1, 7, 9), (2, 8, 8, 4, 6), (5,))
    for length, first in zip((5, 9, 9, 17, 30, 12), beginnings, strict=True):
        rest = torch.randint(3, 250, (length,), generator=generator).tolist()
        learn = [bool(n % 3) for n in range(length)]
        made.append(Example((*first, *rest), (*[False] * len(first), *learn)))
    return made


@pytest.mark.parametrize(
    ("base", "targets", "frozen_share", "adapted"),
    [
        ("tiny_dir", ALL_LINEAR, 0.0, [0, 1]),
        ("tiny_dir", ("q_proj", "v_proj"), 0.0, [0, 1]),
        ("tiny_dir", ("up_proj", "k_proj"), 0.0, [0, 1]),
        ("tiny_dir", ALL_LINEAR, 0.5, [1]),
        ("tiny_qwen2_dir", ALL_LINEAR, 0.0, [0, 1]),
        ("tiny_qwen2_dir", ("v_proj", "down_proj"), 0.5, [1]),
    ],
)
def test_loss_and_gradients_are_those_of_peft(
    request: pytest.FixtureRequest,
    examples: list[Example],
    base: str,
    targets: tuple[str, ...],
    frozen_share: float,
    adapted: list[int],
) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folder: Path = request.getfixturevalue(base)
    torch.manual_seed(0)
    network = Network(folder, targets, rank=4, alpha=8.0, dropout=0.0, frozen_share=frozen_share)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=list(targets), layers_to_transform=adapted)
    peft = get_peft_model(model, config)
    layers = dict(peft.named_modules())
    theirs = {path: layers[f"base_model.model.{path}"] for path in network.adapters}
    for path, (a, b) in network.adapters.items():
        torch.nn.init.normal_(b.data, std=0.05)
        theirs[path].lora_A["default"].weight.data.copy_(a)
        theirs[path].lora_B["default"].weight.data.copy_(b)
    assert len(network.parameters) == sum(p.requires_grad for p in peft.parameters())

    loss = -network.log_probabilities(examples).sum()
    loss.backward()
    expected = torch.zeros(())
    for example in examples:
        ids = torch.tensor(example.ids)
        labels = torch.where(torch.tensor(example.trainable), ids, -100)
        logits = peft(input_ids=ids[None]).logits[0]
        expected = expected + F.cross_entropy(logits[:-1], labels[1:], ignore_index=-100, reduction="sum")
    expected.backward()

    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-4)
    for path, (a, b) in network.adapters.items():
        torch.testing.assert_close(a.grad, theirs[path].lora_A["default"].weight.grad, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(b.grad, theirs[path].lora_B["default"].weight.grad, rtol=1e-3, atol=1e-4)


def test_in_bf16_the_loss_is_nearly_the_same(tiny_dir: Path, examples: list[Example]) -> None:
    def built(precision: Precision) -> Network:
        torch.manual_seed(0)
        network = Network(tiny_dir, ALL_LINEAR, rank=4, alpha=8.0, dropout=0.0, precision=precision)
        for _, b in network.adapters.values():
            torch.nn.init.normal_(b.data, std=0.05)
        return network

    exact, rounded = built("fp32"), built("bf16")
    losses = [-network.log_probabilities(examples).sum() for network in (exact, rounded)]
    assert losses[0].item() != losses[1].item(), "otherwise nothing was computed in bf16"
    torch.testing.assert_close(losses[1], losses[0], rtol=0.02, atol=0.0)


def test_dropout_acts_on_the_adapter_alone(tiny_dir: Path, examples: list[Example]) -> None:
    torch.manual_seed(0)
    network = Network(tiny_dir, ALL_LINEAR, rank=4, alpha=8.0, dropout=0.5)
    plain = network.log_probabilities(examples).sum().item()
    same = network.log_probabilities(examples).sum().item()
    assert same == pytest.approx(plain, rel=1e-6), "B is zero: nothing to drop"
    for _, b in network.adapters.values():
        torch.nn.init.normal_(b.data, std=0.05)
    assert network.log_probabilities(examples).sum().item() != network.log_probabilities(examples).sum().item()
    with torch.no_grad():
        assert torch.equal(network.log_probabilities(examples), network.log_probabilities(examples)), "no gradient"


def test_a_target_that_is_no_linear_layer_is_refused(tiny_dir: Path) -> None:
    with pytest.raises(ValueError, match="c_attn: choose from q_proj"):
        Network(tiny_dir, ("q_proj", "c_attn"), rank=4, alpha=8.0, dropout=0.0)
