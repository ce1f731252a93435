"""Group-relative policy optimisation: policy gradient from groups of attempts that were sampled and recorded.

    loss of a token = −min(ρ·A, clip(ρ, 1 − ε, 1 + ε′)·A) + κ·KL,    ρ = π(token) / recorded π(token)

A is how much better an attempt was rewarded than the others at its task; ε, ε′ and κ are `training.clip`, `clip_high`
and `kl`. `training.variant` says which of these it is:

- `grpo` (DeepSeekMath, arXiv 2402.03300): A = (r − mean) / (std + 1e-4); the mean over each attempt's tokens, then over
  attempts;
- `dr_grpo` (arXiv 2503.20783): A = r − mean; the sum over an attempt's tokens by a constant, `training.max_tokens`;
- `dapo` (arXiv 2503.14476, eq. 8): A as in grpo; the mean over all tokens of a step; its ε′ is 0.28;
- `adpo` (Agent0, arXiv 2511.16043): as grpo, with A times f(p̂) = 0.6 + 0.4·clip((p̂ − 0.3)/0.5, 0, 1), and ε′ wider by
  0.1·clip((0.8 − p̂)/0.5, 0, 1), p̂ the share of the most frequent answer: where the student is torn, what is right is
  doubtful, and what is rare has far to go.

KL is the estimate ρ·(e^x − x − 1) with x = log ref − log π, whose gradient is without bias (DeepSeek-V3.2, arXiv
2512.02556); the reference is the policy before the first step. A test holds loss and gradient to those of TRL's
GRPOTrainer (loss_type grpo, dr_grpo, dapo; its bnpo is dapo in a step of one batch).

Where it departs from the papers:

1. It is trained on what a run recorded, in one training an iteration, not on samples of each step. So ρ begins at 1 but
   for what the engine's quantised weights differ from those that are trained, and moves with each step.
2. Tokens are those that were written, never text that is tokenised again. Prompts are text, tokenised as the engine
   did; a prompt of another number of tokens than the engine read is refused.
3. Log-probabilities are at temperature 1 on both sides, since engines record them so, whatever the temperature at which
   tokens were drawn. With another one than 1 the samples are those of a sharper policy than the one that is trained.
4. Of an attempt only what was sampled is learnt: not a turn that was written greedily, such as the report of a tool's
   result, and not the words that the harness put before it. A turn that was cut at a stop string has no token for it.
5. Rewards are 1 for right and 0 for wrong, by a verifier, where there is no other `training.reward`; ADPO's paper takes
   agreement with the majority for lack of one. What could not be judged is in no group.
6. Groups in which all were rewarded alike teach nothing and are left out before, not sampled again as DAPO does.
7. DAPO's overlong penalty and ADPO's filter of tasks are not here: the curriculum asks for tasks at the frontier.
8. Prompts are as they were read: with worked examples where the base practised. The adapter will answer without, so
   what the base wrote teaches it little.
9. A teacher's group is all of an iteration's proposals in a domain: several to one request do not exist.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, ClassVar

from agent0es.configuration import TrainingSettings
from agent0es.training.examples import GroupRow, read_group_rows
from agent0es.training.methods.base import Learns, Unit

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

    from agent0es.models.chat_template import ChatTemplate

LEAST_STD = 1e-4
"""Is added to a group's standard deviation, as TRL does."""
MOST_LOG_RATIO = 20.0
"""A token that was recorded as impossible, or all but, counts as if it were e^20 times as likely: a number still."""


@dataclass(frozen=True, slots=True)
class Sampled(Unit):
    """An attempt."""

    recorded: tuple[float, ...]
    """Log-probabilities of its learnt tokens when they were written."""
    reward: float
    advantage: float
    above: float
    """ε′: how far its tokens' ratios may rise above 1."""


class Grpo:
    """`training.method: grpo`."""

    name: ClassVar[str] = "grpo"
    learns: ClassVar[Learns] = "groups"
    learning_rate: ClassVar[float] = 1e-5
    """TRL's for LoRA, ten times that of full fine-tuning ("PEFT integration" in its documentation). rft's would move
    the policy so far in a few steps that what was sampled says nothing of it any more."""

    def needs_reference(self, settings: TrainingSettings) -> bool:
        """With a weight for KL."""
        return bool(settings.kl)

    def read(
        self, dataset: Path, template: "ChatTemplate", tokenizer: "Tokenizer", settings: TrainingSettings
    ) -> list[Sampled]:
        """As the port says. A row is an attempt with its calls; the file has whole groups."""
        rows = read_group_rows(dataset, template, tokenizer)
        advantages = advantages_of(rows, settings)
        return [_sampled(row, advantage, settings) for row, advantage in zip(rows, advantages, strict=True)]

    def loss(
        self, log_probabilities: "Tensor", units: Sequence[Sampled], settings: TrainingSettings
    ) -> "tuple[Tensor, Mapping[str, float]]":
        """Sum over the attempts, of what their variant takes over their tokens. Metrics, as means over tokens: the
        share that was `clipped`, the `ratio`, and `kl` to what was recorded; and the mean `reward` of the attempts,
        each with its weight."""
        import torch

        lengths = torch.tensor([unit.labels for unit in units])

        def each(values: Sequence[float]) -> "Tensor":
            """An attempt's value for each of its tokens."""
            return torch.repeat_interleave(torch.tensor(values), lengths)

        recorded = torch.tensor([value for unit in units for value in unit.recorded])
        advantage, highest = each([unit.advantage for unit in units]), each([1 + unit.above for unit in units])
        log_ratio = (log_probabilities - recorded).clamp(-MOST_LOG_RATIO, MOST_LOG_RATIO)
        ratio = log_ratio.exp()
        clipped = ratio.clamp(min=1 - settings.clip).minimum(highest)
        losses = -torch.min(ratio * advantage, clipped * advantage)
        if settings.kl:
            behind = torch.cat([unit.reference for unit in units if unit.reference is not None]) - log_probabilities
            losses = losses + settings.kl * ratio * (behind.exp() - behind - 1)
        shares = each([unit.weight / unit.labels for unit in units])
        taken = losses / settings.max_tokens if settings.variant == "dr_grpo" else losses * shares
        with torch.no_grad():
            away = ((ratio < 1 - settings.clip) & (advantage < 0)) | ((ratio > highest) & (advantage > 0))
            drift = (-log_ratio).exp() + log_ratio - 1
            seen = {"clipped": away.float(), "ratio": ratio, "kl": drift}
            metrics = {name: float((values * shares).sum()) for name, values in seen.items()}
        metrics["reward"] = sum(unit.weight * unit.reward for unit in units)
        return taken.sum(), metrics


def advantages_of(rows: Sequence[GroupRow], settings: TrainingSettings) -> list[float]:
    """Of each row, within its group. A group of one has none: 0."""
    groups: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        groups[row.group].append(row.reward)
    means = {group: fmean(rewards) for group, rewards in groups.items()}
    spreads = {group: stdev(rewards) if len(rewards) > 1 else 0.0 for group, rewards in groups.items()}
    found = []
    for row in rows:
        advantage = row.reward - means[row.group]
        if settings.variant != "dr_grpo":
            advantage /= spreads[row.group] + LEAST_STD
        if settings.variant == "adpo":
            advantage *= 0.6 + 0.4 * _between((row.agreement - 0.3) / 0.5)
        found.append(advantage)
    return found


def clip_high(agreement: float, settings: TrainingSettings) -> float:
    """ε′ for an attempt at a task of this p̂."""
    wider = 0.1 * _between((0.8 - agreement) / 0.5) if settings.variant == "adpo" else 0.0
    return settings.clip_high + wider


def _between(value: float) -> float:
    return min(1.0, max(0.0, value))


def _sampled(row: GroupRow, advantage: float, settings: TrainingSettings) -> Sampled:
    labels = sum(example.labels for example in row.examples)
    return Sampled(
        examples=row.examples,
        weight=float(labels) if settings.variant == "dapo" else 1.0,
        recorded=row.logprobs,
        reward=row.reward,
        advantage=advantage,
        above=clip_high(row.agreement, settings),
    )
