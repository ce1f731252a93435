"""The port of training methods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

from agent0es.configuration import TrainingSettings
from agent0es.training.examples import Example

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

    from agent0es.models.chat_template import ChatTemplate


@dataclass(frozen=True, slots=True)
class Unit:
    """What must stay in one batch: a text, a pair of texts."""

    examples: tuple[Example, ...]
    """The texts."""
    weight: float
    """What it counts in a step: the sum of a step's losses is divided by the sum of these."""


U = TypeVar("U", bound=Unit)


class Method(Protocol[U]):
    """Which loss is taken on which rows. Pure, but for reading the dataset."""

    name: ClassVar[str]

    def read(self, dataset: Path, template: "ChatTemplate", tokenizer: "Tokenizer") -> list[U]:
        """The dataset in the words of the model that is trained. Raises ValueError with the line of what is no row."""
        ...

    def loss(
        self, log_probabilities: "Tensor", units: Sequence[U], settings: TrainingSettings
    ) -> "tuple[Tensor, Mapping[str, float]]":
        """The sum of the losses of these units, and what else is worth knowing of them, summed likewise.

        `log_probabilities`: as `Policy.log_probabilities` gives them for the examples of the units, one unit behind the
        other.
        """
        ...
