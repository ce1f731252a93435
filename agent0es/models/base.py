"""What every model backend offers: one asynchronous protocol and the values that cross it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from agent0es.domain.text import storable
from agent0es.errors import Agent0Error, ModelNotFound, TransientError
from agent0es.models.artifacts import Artifacts, Form


class GenerationFailed(TransientError):
    """The engine broke while it answered. It is restarted for the next request, so a retry makes sense."""


class WrongWeights(ModelNotFound):
    """A file of weights is missing, or its hash is not the one that was given."""


class RequestRefused(Agent0Error):
    """A request that the model can't answer as it is, such as a prompt longer than its context."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One prompt and how to continue it."""

    prompt: str
    """The full prompt, chat template already applied."""
    max_tokens: int
    """Upper bound on generated tokens."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    """Nucleus sampling bound in (0, 1]."""
    stop: tuple[str, ...] = ()
    """Generation ends before the first of these; the stop string is not part of the text."""
    seed: int = 0
    """Seed of the sampler for this request alone."""
    shared: int = 0
    """How many characters of the prompt other requests begin with too. A backend with a prefix cache reads them once,
    also when many such requests arrive together; the others need not care."""
    json_schema: dict[str, Any] | None = None
    """When given, the text is one JSON value that validates against it; cut off if finish_reason is `length`."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote, with what it cost."""

    text: str
    """Without control tokens and without the stop string. May be empty."""
    token_ids: tuple[int, ...]
    """Generated tokens, the end-of-turn token included; what a stop string cut off is not in here."""
    logprobs: tuple[float, ...]
    """Natural logarithm of each generated token's probability, same length as token_ids."""
    finish_reason: str
    """`stop` (end of turn or stop string) or `length`."""
    prompt_tokens: int
    seconds: float
    """From submission to the last token, waiting in the batch included."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", storable(self.text))


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do. A run that needs more is refused when it is configured."""

    logprobs: bool
    structured_output: bool
    adapters: frozenset[Form]
    """Forms of a trained adapter that it serves; empty: none."""
    batching: bool
    embeddings: bool = False


@dataclass(frozen=True, slots=True)
class Deployment:
    """A trained adapter under the name by which it is asked."""

    name: str
    """Adapter name, e.g. `student-1`."""
    artifacts: Artifacts
    """Its files, and the hashes that they must have."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a backend can answer, and what it is."""

    ok: bool
    detail: str
    extra: dict[str, Any] = field(default_factory=dict)
    loading: str = ""
    """Why it can't answer yet, in words for a user; empty when it can."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A language model's file, found and checked."""

    name: str
    """As asked for, or the file's stem."""
    path: Path
    sha256: str


class ChatTemplate(Protocol):
    """How a model's prompts are written. Pure: works on a backend that has loaded nothing yet."""

    @property
    def end_of_turn(self) -> str:
        """What the model writes when its turn is over; closes the text of a training example."""
        ...

    def chat_prompt(self, messages: Sequence[tuple[str, str]], prefill: str = "") -> str:
        """(role, text) turns as one prompt that ends where the assistant continues after `prefill`.

        Texts and prefill are neutralised.
        """
        ...

    def neutralise(self, text: str) -> str:
        """The text with control tokens broken, so that it can't end or open a turn.

        For whatever is put behind a prompt: tool output, and the model's own words when they are read again.
        """
        ...


class ModelBackend(ChatTemplate, Protocol):
    """A language model that can be asked many things at once."""

    @property
    def name(self) -> str:
        """Model name with quantization, as written into events."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def weights(self) -> Weights | None:
        """The base model's file, which training starts from; None for a model without one."""
        ...

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        """Completions in the order of the requests. `adapter` names a deployment; None is the base model.

        Cancelling the task frees what its requests hold. Raises GenerationFailed, RequestRefused, and ModelNotFound
        for an adapter that is not deployed.
        """
        ...

    def stream(self, request: GenerationRequest, adapter: str | None = None) -> AsyncIterator[str]:
        """Text as it is generated."""
        ...

    async def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """One row per text, L2-normalised, shape (len(texts), dimension)."""
        ...

    async def health(self) -> Health: ...

    async def deploy(self, deployment: Deployment) -> None:
        """Make an adapter answer under its name. Deploying a name twice is a no-op.

        Raises WrongWeights when one of its files is missing or does not have the deployment's hash.
        """
        ...

    async def retire(self, name: str) -> None:
        """Unload a deployment. Unknown names are ignored."""
        ...

    async def close(self) -> None: ...
