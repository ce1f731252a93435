"""The port of training methods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeVar

from agent0es.configuration import TrainingSettings
from agent0es.training.examples import Example

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

    from agent0es.models.chat_template import ChatTemplate

Learns = Literal["right", "pairs", "groups"]
"""What a method learns from: `right` attempts, and proposals that were taken; `pairs` of a right and a wrong attempt at
the same task; whole `groups` of attempts with what each was rewarded. What a row of each is, `examples.py` says."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What must stay in one batch: a text, a pair of texts, the calls of an attempt."""

    examples: tuple[Example, ...]
    """The texts."""
    weight: float
    """What it counts in a step: the sum of a step's losses is divided by the sum of these."""
    reference: "Tensor | None" = field(default=None, kw_only=True)
    """The log-probabilities of its learnt tokens before the first step, of a method that `needs_reference`."""

    @property
    def labels(self) -> int:
        """How many tokens are learnt."""
        return sum(example.labels for example in self.examples)


U = TypeVar("U", bound=Unit)


class Method(Protocol[U]):
    """Which loss is taken on which rows. Pure, but for reading the dataset."""

    name: ClassVar[str]
    learns: ClassVar[Learns]
    """What its rows are made of. Who learns from what was wrong too goes on from the adapter that is in use; who
    learns from what was `right` begins at the base, and is told all of it again."""

    learning_rate: ClassVar[float]
    """What `training.learning_rate: null` stands for."""

    def needs_reference(self, settings: TrainingSettings) -> bool:
        """Whether the loss compares the policy with what it was before the first step."""
        ...

    def read(
        self, dataset: Path, template: "ChatTemplate", tokenizer: "Tokenizer", settings: TrainingSettings
    ) -> list[U]:
        """The dataset in the words of the model that is trained. Raises ValueError with the line of what is no row."""
        ...

    def loss(
        self, log_probabilities: "Tensor", units: Sequence[U], settings: TrainingSettings
    ) -> "tuple[Tensor, Mapping[str, float]]":
        """The sum of the losses of these units, and what else is worth knowing of them, summed likewise: each unit's
        share times its weight.

        `log_probabilities`: as `Policy.log_probabilities` gives them for the examples of the units, one unit behind the
        other.
        """
        ...
