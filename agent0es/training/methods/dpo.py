"""Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290, eq. 7) on pairs of attempts at one task, of
which one was right and one was wrong:

    loss = −log σ(β·(log π(right)/ref(right) − log π(wrong)/ref(wrong)))

π of an attempt is the product over the tokens that the student wrote. The reference is the policy before the first
step: the adapter that it goes on from, or the base. A loss is a pair's, a step's is their mean; a test holds loss and
gradient to those of TRL's DPOTrainer (loss_type sigmoid).

Where it departs from the paper:

1. Nobody prefers: a verifier finds one attempt right and the other wrong.
2. An attempt's tokens are those of the assistant's turns only. What tools gave lies between them, and is read.
3. Both attempts are put under the prompt of a trained student, without the worked examples that they were made with.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from agent0es.configuration import TrainingSettings
from agent0es.training.examples import read_pairs, tokenise
from agent0es.training.methods.base import Learns, Unit

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

    from agent0es.models.chat_template import ChatTemplate


class Dpo:
    """`training.method: dpo`."""

    name: ClassVar[str] = "dpo"
    learns: ClassVar[Learns] = "pairs"
    learning_rate: ClassVar[float] = 5e-6
    """TRL's for LoRA, ten times that of full fine-tuning ("PEFT integration" in its documentation)."""

    def needs_reference(self, settings: TrainingSettings) -> bool:
        """Always."""
        return True

    def read(
        self, dataset: Path, template: "ChatTemplate", tokenizer: "Tokenizer", settings: TrainingSettings
    ) -> list[Unit]:
        """As the port says. A row is two texts, the right one first."""
        return [
            Unit((tokenise(tokenizer, *right), tokenise(tokenizer, *wrong)), 1.0)
            for right, wrong in read_pairs(dataset, template)
        ]

    def loss(
        self, log_probabilities: "Tensor", units: Sequence[Unit], settings: TrainingSettings
    ) -> "tuple[Tensor, Mapping[str, float]]":
        """Sum over the pairs. Metrics: how often the right one is ahead of the wrong one (`accuracy`), and by how much
        in units of β (`margin`)."""
        import torch
        import torch.nn.functional as F  # noqa: N812 - its name everywhere

        reference = torch.cat([unit.reference for unit in units if unit.reference is not None])
        gained = (log_probabilities - reference).split([e.labels for unit in units for e in unit.examples])
        of_texts = torch.stack([tokens.sum() for tokens in gained]).view(len(units), 2)
        margins = settings.beta * (of_texts[:, 0] - of_texts[:, 1])
        known = margins.detach()
        metrics = {"accuracy": (known > 0).sum().item(), "margin": known.sum().item()}
        return -F.logsigmoid(margins).sum(), metrics
