"""What `grpo` and `dpo` take a loss on, and what their settings do."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from agent0es.configuration import Configuration, TrainingSettings, changed_configuration
from agent0es.training.beginning import begin
from agent0es.training.engine import Policy
from agent0es.training.examples import Example, GroupRow, read_group_rows, read_pairs
from agent0es.training.methods import learning_rate
from agent0es.training.methods.base import Unit
from agent0es.training.methods.dpo import Dpo
from agent0es.training.methods.grpo import Grpo, Sampled, advantages_of, clip_high
from tests.support.templates import CHATML

GRPO = TrainingSettings(method="grpo", variant="grpo", clip_high=0.2)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """One token per byte."""
    vocabulary = {token: number for number, token in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return made


@pytest.mark.parametrize(
    ("changes", "rate"),
    [
        ((), 1e-3),
        (("training.method=grpo",), 1e-5),
        (("training.method=dpo",), 5e-6),
        (("training.method=dpo", "training.learning_rate=0.0003"), 3e-4),
        (("training={method: grpo, learning_rate: 0.0003}",), 3e-4),
    ],
)
def test_a_rate_is_a_methods_own_where_none_is_set(changes: Sequence[str], rate: float) -> None:
    assert learning_rate(changed_configuration(Configuration(), changes).training) == rate
    other = changed_configuration(Configuration(), ["training.learning_rate=0.02"])
    assert learning_rate(changed_configuration(other, changes).training) == (rate if changes else 0.02), (
        "one that was set for another method is not this one's"
    )


def rows(*rewards: float, group: str = "1", agreement: float = 1.0) -> list[GroupRow]:
    return [GroupRow(group, reward, agreement, (), ()) for reward in rewards]


def sampled(
    recorded: tuple[float, ...], advantage: float, above: float = 0.2, weight: float = 1.0, reward: float = 0.0
) -> Sampled:
    example = Example((1, *range(len(recorded))), (False, *(True for _ in recorded)))
    return Sampled((example,), weight, recorded=recorded, reward=reward, advantage=advantage, above=above)


def test_what_the_policy_was_before_the_first_step_is_asked_a_few_at_a_time() -> None:
    """As many as fit into memory."""
    at_once = []

    class Asked:
        def log_probabilities(self, examples: Sequence[Example]) -> torch.Tensor:
            at_once.append(len(examples))
            assert not torch.is_grad_enabled()
            return torch.tensor([float(token) for example in examples for token in example.ids[1:]])

    units = [Unit((Example((0, n), (False, True)), Example((0, -n, n), (False, True, True))), 1.0) for n in (1, 2, 3)]
    policy, settings = cast("Policy", Asked()), TrainingSettings(method="dpo")
    begun = begin(policy, Dpo(), units, settings, None, micro_batch=2)
    assert at_once == [4, 2], "two pairs, then one"
    assert [unit.reference.tolist() for unit in begun if unit.reference is not None] == [
        [1, -1, 1],
        [2, -2, 2],
        [3, -3, 3],
    ]


def test_an_advantage_is_told_within_the_group_alone() -> None:
    mixed = [*rows(1, 0, 0, 0), *rows(1, 1, group="2")]
    found = advantages_of(mixed, GRPO)
    assert found[:4] == pytest.approx([1.4997, -0.4999, -0.4999, -0.4999], abs=1e-3)
    assert found[4:] == [0, 0], "all alike: nothing to learn"
    plain = advantages_of(mixed, GRPO.model_copy(update={"variant": "dr_grpo"}))
    assert plain == [0.75, -0.25, -0.25, -0.25, 0, 0]


@pytest.mark.parametrize(("agreement", "factor", "wider"), [(0.2, 0.6, 0.1), (0.55, 0.8, 0.05), (1.0, 1.0, 0.0)])
def test_adpo_trusts_less_and_lets_go_further_where_the_student_is_torn(
    agreement: float, factor: float, wider: float
) -> None:
    adpo = GRPO.model_copy(update={"variant": "adpo"})
    torn = rows(1, 0, agreement=agreement)
    assert advantages_of(torn, adpo)[0] == pytest.approx(factor * advantages_of(torn, GRPO)[0])
    assert clip_high(agreement, adpo) == pytest.approx(0.2 + wider)
    assert clip_high(agreement, GRPO) == 0.2


@given(st.lists(st.integers(0, 1), min_size=2, max_size=8))
def test_advantages_of_a_group_cancel_out(rewards: list[int]) -> None:
    assert sum(advantages_of(rows(*map(float, rewards)), GRPO)) == pytest.approx(0, abs=1e-6)


def test_a_token_that_is_beyond_the_clip_teaches_no_more() -> None:
    now = torch.tensor([-1.0, -1.0, -1.0], requires_grad=True)
    units = [sampled((-1.0 - math.log(1.5), -1.0, -1.0 + math.log(1.5)), advantage=1.0)]
    loss, metrics = Grpo().loss(now, units, GRPO)
    loss.backward()
    assert now.grad is not None
    assert now.grad.tolist() == pytest.approx([0, -1 / 3, -1 / 4.5]), (
        "what has become rarer still is to be made likelier"
    )
    assert loss.item() == pytest.approx(-(1.2 + 1 + 1 / 1.5) / 3)
    assert metrics["clipped"] == pytest.approx(1 / 3)


def test_what_the_attempts_of_a_step_were_rewarded_is_told_with_the_weights_of_the_loss() -> None:
    now = torch.tensor([-1.0, -1.0, -1.0])
    units = [sampled((-1.0,), 1.0, reward=1.0), sampled((-1.0, -1.0), -1.0, weight=2.0, reward=0.5)]
    assert Grpo().loss(now, units, GRPO)[1]["reward"] == 1 * 1.0 + 2 * 0.5


def test_a_token_that_was_recorded_as_impossible_leaves_a_number() -> None:
    for advantage in (1.0, -1.0):
        now = torch.tensor([-1.0, -2.0], requires_grad=True)
        loss, _ = Grpo().loss(now, [sampled((-9999.0, -2.0), advantage)], GRPO)
        loss.backward()
        assert now.grad is not None and bool(torch.isfinite(now.grad).all()) and math.isfinite(loss.item())


def test_what_a_step_is_the_mean_of_says_the_variant() -> None:
    now, units = torch.tensor([-1.0, -1.0, -1.0]), [sampled((-1.0, -1.0), 1.0), sampled((-1.0,), -0.5)]
    losses = {
        name: Grpo().loss(now, units, GRPO.model_copy(update={"variant": name, "max_tokens": 10}))[0].item()
        for name in ("grpo", "dr_grpo")
    }
    assert losses == pytest.approx({"grpo": -1 + 0.5, "dr_grpo": (-2 + 0.5) / 10})
    by_tokens = [sampled((-1.0, -1.0), 1.0, weight=2.0), sampled((-1.0,), -0.5)]
    dapo = GRPO.model_copy(update={"variant": "dapo"})
    assert Grpo().loss(now, by_tokens, dapo)[0].item() == pytest.approx(-2 + 0.5)


def test_kl_holds_the_policy_to_where_it_began() -> None:
    now = torch.tensor([-1.0], requires_grad=True)
    unit = sampled((-1.0,), advantage=0.0)
    held = replace(unit, advantage=0.0, reference=torch.tensor([-2.0]))
    loss, _ = Grpo().loss(now, [held], GRPO.model_copy(update={"kl": 0.5}))
    assert loss.item() == pytest.approx(0.5 * (math.exp(-1) + 1 - 1))
    assert [Grpo().needs_reference(GRPO.model_copy(update={"kl": weight})) for weight in (0.0, 0.5)] == [False, True]


CALL = {
    "messages": [{"role": "user", "content": "q"}],
    "prefill": "An",
    "read": len("<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\nAn"),
    "ids": [7, 7, 9],
    "logprobs": [-0.5, -1.5, -0.25],
}
ATTEMPT = {"attempt": "1/0", "group": "1", "reward": 1.0, "agreement": 0.5, "calls": [CALL, {**CALL, "ids": [3, 2, 1]}]}


def written(folder: Path, *lines: Any) -> Path:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_the_tokens_that_are_learnt_are_those_that_were_recorded(tmp_path: Path, tokenizer: Tokenizer) -> None:
    [row] = read_group_rows(written(tmp_path, ATTEMPT), CHATML, tokenizer)
    first, second = row.examples
    assert [n for n, learn in zip(first.ids, first.trainable, strict=True) if learn] == [7, 7, 9]
    assert second.ids[-3:] == (3, 2, 1) and second.labels == 3
    read = "".join(tokenizer.id_to_token(number) for number in first.ids[:-3])
    assert read.replace("Ċ", "\n") == "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\nAn"
    assert row.logprobs == (-0.5, -1.5, -0.25) * 2 and (row.group, row.reward, row.agreement) == ("1", 1.0, 0.5)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"read": 3}, "53 tokens here, and the engine read 3"),
        ({"ids": [7, 7]}, "not in this model's tokens"),
        ({"ids": [7, 7, 1_000_000]}, "not in this model's tokens"),
        ({"ids": None}, "not an attempt of a group"),
    ],
)
def test_a_row_that_this_model_did_not_write_is_named_by_its_line(
    tmp_path: Path, tokenizer: Tokenizer, change: dict[str, Any], why: str
) -> None:
    file = written(tmp_path, ATTEMPT, {**ATTEMPT, "calls": [{**CALL, **change}]})
    with pytest.raises(ValueError, match=rf"rows\.jsonl, line 2: .*{why}"):
        read_group_rows(file, CHATML, tokenizer)


def test_a_line_ends_at_a_line_break_alone(tmp_path: Path, tokenizer: Tokenizer) -> None:
    text = {"messages": [{"role": "user", "content": "a\u2028b"}], "segments": [["x\u0085", True]]}
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"right": text, "wrong": text}, ensure_ascii=False) + "\n", encoding="utf-8")
    [(right, wrong)] = read_pairs(file, CHATML)
    assert right == wrong and right[1][0] == ("x\u0085", True)


def test_dpo_is_ahead_where_the_right_attempt_has_gained_more() -> None:
    example = Example((1, 2, 3), (False, True, True))
    unit = Unit((example, example), 1.0, reference=torch.tensor([-1.0, -1.0, -1.0, -1.0]))
    now = torch.tensor([-0.5, -0.5, -1.0, -2.0], requires_grad=True)
    settings = TrainingSettings(method="dpo")
    loss, metrics = Dpo().loss(now, [unit], settings)
    loss.backward()
    assert metrics == pytest.approx({"accuracy": 1.0, "margin": 0.1 * 2.0})
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-0.2)))
    assert now.grad is not None and [math.copysign(1, one) for one in now.grad.tolist()] == [-1, -1, 1, 1]
    strict, _ = Dpo().loss(now, [unit], settings.model_copy(update={"beta": 0.5}))
    assert strict.item() == pytest.approx(math.log(1 + math.exp(-1.0)))
