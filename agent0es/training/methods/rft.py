"""Rejection-sampling fine-tuning: cross entropy on what the student wrote in attempts that were right.

The worked examples that the student was shown in practice are left out of the rows, so what they gave is distilled into
the adapter. The loss is the mean over the learnt tokens of a step; prompts and observations are read, not learnt.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from agent0es.configuration import TrainingSettings
from agent0es.training.examples import read_rows, tokenise
from agent0es.training.methods.base import Learns, Unit

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

    from agent0es.models.chat_template import ChatTemplate


class Rft:
    """`training.method: rft`."""

    name: ClassVar[str] = "rft"
    learns: ClassVar[Learns] = "right"
    learning_rate: ClassVar[float] = 1e-3

    def needs_reference(self, settings: TrainingSettings) -> bool:
        """No."""
        return False

    def read(
        self, dataset: Path, template: "ChatTemplate", tokenizer: "Tokenizer", settings: TrainingSettings
    ) -> list[Unit]:
        """As the port says. A row is one text."""
        examples = (tokenise(tokenizer, *row) for row in read_rows(dataset, template))
        return [Unit((example,), float(example.labels)) for example in examples]

    def loss(
        self, log_probabilities: "Tensor", units: Sequence[Unit], settings: TrainingSettings
    ) -> "tuple[Tensor, Mapping[str, float]]":
        """Sum over the learnt tokens of their negative log-probabilities."""
        return -log_probabilities.sum(), {}
