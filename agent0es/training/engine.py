"""The port of training engines: what a trainer's process trains with. `packed` is one file, and so is each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from agent0es.configuration import TrainingSettings
from agent0es.models.artifacts import Artifacts, Form
from agent0es.models.base import Weights
from agent0es.training.examples import Example

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

    from agent0es.models.chat_template import ChatTemplate


class Policy(Protocol):
    """A model whose adapter is trained."""

    @property
    def precision(self) -> str:
        """fp32 or bf16, in which frozen weights are multiplied."""
        ...

    @property
    def parameters(self) -> "Sequence[Tensor]":
        """What is trained, in an order that is the same for the same job."""
        ...

    def log_probabilities(self, examples: Sequence[Example]) -> "Tensor":
        """Natural logarithm of each learnt token's probability, given all tokens before it: fp32, shape (labels,), in
        the order of the examples and of their tokens. `Example.labels` counts them. Where no gradient is asked for,
        nothing is dropped out."""
        ...

    def adapter(self) -> "tuple[Mapping[str, Tensor], Mapping[str, Any]]":
        """PEFT's names of the matrices to their values, and PEFT's configuration."""
        ...

    def load(self, tensors: "Mapping[str, Tensor]") -> None:
        """Take over the values of another adapter, which has the names and shapes of this one."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A model that is ready to be trained."""

    policy: Policy
    tokenizer: "Tokenizer"
    template: "ChatTemplate"


class Engine(Protocol):
    """Computes. Cheap to make: what is heavy is imported and read by `open`, in the trainer's process."""

    name: ClassVar[str]

    def forms(self, base: Weights | None) -> frozenset[Form]:
        """As the port `Trainer` says."""
        ...

    def why_not(self, base: Weights, settings: TrainingSettings) -> str | None:
        """As `Trainer.why_not`."""
        ...

    def open(self, base: Path, cache: Path, settings: TrainingSettings) -> Opened:
        """Load the base with a new adapter, whose first values come from torch's current seed."""
        ...

    def derive(self, base: Path, artifacts: Artifacts) -> None:
        """Write what follows from the adapter in PEFT's folder and its base: the files that the artifacts name, or all
        that this engine makes where they name none.

        Raises OSError, and ValueError when the folder holds no adapter of this base.
        """
        ...
