"""The models that a backend has or can fetch: one protocol for a server, a folder and the embedded weights.

A backend whose models can be looked at has a class method
`library(*, base_url=None, api_key_env=None, cache=None, **options) -> ModelLibrary`, with what `create` takes except
the model's name. `agent0es models` asks it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model in a list. What nobody knows without loading it is None."""

    name: str
    """As `models.<role>.name` takes it."""
    size: int | None = None
    """Bytes on the disk."""
    context: int | None = None
    """Most tokens that a request may read and write together."""
    here: bool = True
    """Whether it can answer without being fetched first."""
    detail: str = ""
    """What else tells it from others, in a few words: family, parameters, quantization."""


@dataclass(frozen=True, slots=True)
class ShownModel:
    """All that is known of one model."""

    model: ListedModel
    properties: Mapping[str, Any] = field(default_factory=dict)
    """What a user may want to see, in that order, e.g. `license` or `sha256`. Values are those of JSON."""


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far a pull is."""

    what: str
    """What is being done, in a word or two. A new text begins a new bar."""
    done: int = 0
    """Bytes that are there."""
    total: int | None = None
    """Bytes that there will be; None where nobody knows, or where it isn't counted in bytes."""


OnProgress = Callable[[PullProgress], None]


class ModelLibrary(Protocol):
    """Models by name. Each method opens and closes what it needs.

    Raises ModelNotFound for a name that is not there, and a UserError in one line where it can't do what is asked for
    (a server that fetches nothing) or nobody answers.
    """

    async def list(self) -> Sequence[ListedModel]: ...

    async def show(self, name: str) -> ShownModel: ...

    async def pull(self, name: str, on_progress: OnProgress) -> None:
        """Fetch a model. Nothing is fetched twice: one that was cut off goes on where it can."""
        ...

    async def removable(self, name: str) -> None:
        """Nothing. Raises what `remove` would raise, before anybody is asked whether they are sure."""
        ...

    async def remove(self, name: str) -> None:
        """Delete a model's files."""
        ...
