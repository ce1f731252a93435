"""What every model backend offers: one asynchronous protocol and the values that cross it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from agent0es.domain.prompt import Message
from agent0es.domain.task import Scalar
from agent0es.domain.text import storable
from agent0es.domain.tries import Try, as_measured
from agent0es.errors import Agent0Error, ModelNotFound, TransientError, UserError
from agent0es.models.artifacts import FILES, Artifacts, Form, why_wrong

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LEAST_LOGPROB = -9999.0
"""What stands for the logarithm of 0, and for what is no number: the log keeps finite numbers."""
MOST_TOKENS = 2**31 - 1
"""That can be counted: tables have no room for more."""


class GenerationFailed(TransientError):
    """The engine or the server broke while it answered; it may answer the next request. `tries` were made."""

    def __init__(self, message: str, tries: Sequence[Try] = ()) -> None:
        super().__init__(message)
        self.measured = as_measured(tries)


class ModelOutOfMemory(GenerationFailed):
    """The engine broke because memory ran out."""


class ModelUnavailable(UserError):
    """A server that answers nobody until the user has put something right: the key, the budget, the model's name, or
    the server itself. The run stops, and its log has the message. `tries` were made of the request."""

    def __init__(self, message: str, tries: Sequence[Try] = ()) -> None:
        super().__init__(message)
        self.measured = as_measured(tries)


class WrongWeights(ModelNotFound):
    """A file of weights is missing, or its hash is not the one that was given."""


def not_deployed(adapter: str, deployed: Iterable[str]) -> ModelNotFound:
    """What is raised for an adapter that is not among these."""
    return ModelNotFound(f"adapter {adapter} is not deployed; deployed: {', '.join(deployed) or 'none'}")


class RequestRefused(Agent0Error):
    """A request that the model can't answer as it is, such as a prompt longer than its context. `tries` were made."""

    def __init__(self, message: str, tries: Sequence[Try] = ()) -> None:
        super().__init__(message)
        self.measured = as_measured(tries)


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What a model is to read, and how it is to go on."""

    messages: tuple[Message, ...]
    """The turns of the chat. How they become a prompt is the model's affair."""
    max_tokens: int
    """Upper bound on generated tokens."""
    prefill: str = ""
    """The beginning of the assistant's turn, which the model continues. Hostile: models and tools wrote some of it."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    """Nucleus sampling bound in (0, 1]."""
    stop: tuple[str, ...] = ()
    """Generation ends before the first of these; the stop string is not part of the text."""
    seed: int = 0
    """Seed of the sampler for this request alone."""
    shared: int = 0
    """How many first messages other requests begin with too. A backend with a prefix cache reads them once, also when
    many such requests arrive together; the others need not care."""
    json_schema: dict[str, Any] | None = None
    """When given, the text is one JSON value that validates against it; cut off if finish_reason is `length`."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What was read and written, in tokens. A number that can't be is made one that can: servers are hostile."""

    prompt: int
    """Read, cached ones included; 0 where the backend doesn't say."""
    written: int
    """Written, the end of the turn included; what a stop string cut off is not. 0 where the backend doesn't say."""
    cached: int | None = None
    """Of the prompt, what the backend had read before; None where it doesn't say."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt", min(max(0, self.prompt), MOST_TOKENS))
        object.__setattr__(self, "written", min(max(0, self.written), MOST_TOKENS))
        if self.cached is not None:
            object.__setattr__(self, "cached", min(max(0, self.cached), self.prompt))


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote, with what it cost."""

    text: str
    """Without control tokens and without the stop string. May be empty."""
    finish_reason: str
    """`stop` (end of turn or stop string) or `length`."""
    usage: Usage
    model: str
    """The model that really answered, with its quantization."""
    adapter: str | None
    """The adapter that really answered; None is the base model."""
    seconds: float
    """From submission to the last token, waiting in the batch included."""
    token_ids: tuple[int, ...] | None = None
    """The tokens that were written; None where the backend doesn't give them."""
    logprobs: tuple[float, ...] | None = None
    """Natural logarithm of each written token's probability, to 4 places, which is what the log keeps: so nothing is
    decided by more than the log holds. None where the backend doesn't give them."""
    mean_logprob: float | None = None
    """Their mean, which follows from them where there are any. None where nobody knows."""
    thinking: str | None = None
    """What the model thought before the text, where the backend tells the two apart."""
    left_out: tuple[str, ...] = ()
    """Settings of the request that the model can't take, by the names of their fields."""
    cost_usd: float | None = None
    """What the answer cost, in US dollars, by published prices; None where it has no price, or nobody knows it."""
    tries: tuple[Try, ...] = ()
    """Those that failed before this answer came; how it went, and no part of what was said."""

    @property
    def measured(self) -> dict[str, Scalar]:
        """How it went, for the meta of the event that tells of it."""
        cost = {} if self.cost_usd is None else {"cost_usd": self.cost_usd}
        return {"seconds": round(self.seconds, 4), **cost, **as_measured(self.tries)}

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", storable(self.text))
        if self.thinking is not None:
            object.__setattr__(self, "thinking", storable(self.thinking))
        if self.logprobs is not None:
            # + 0.0 makes 0.0 of -0.0
            object.__setattr__(
                self, "logprobs", tuple(round(max(LEAST_LOGPROB, one), 4) + 0.0 for one in self.logprobs)
            )
        if self.logprobs:
            object.__setattr__(self, "mean_logprob", sum(self.logprobs) / len(self.logprobs))
        elif self.mean_logprob is not None:
            object.__setattr__(self, "mean_logprob", max(LEAST_LOGPROB, self.mean_logprob))


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do with this model. `models/requirements.py` asks for each when a run is configured."""

    logprobs: bool = False
    """It gives each written token's log-probability."""
    token_ids: bool = False
    """It gives each written token's number in the vocabulary of its `weights`."""
    structured_output: bool = False
    """It keeps to a JSON schema."""
    adapters: frozenset[Form] = frozenset()
    """Forms of a trained adapter that it serves; empty: none."""
    prefill: bool = True
    """It continues a turn that has begun."""
    sampling: bool = True
    """It takes temperature and top_p."""
    seeds: bool = True
    """The same seed, alone, gives the same text."""
    context: int | None = None
    """Most tokens that a request may read and write together; None where nobody knows."""
    priced: bool = True
    """It says what an answer cost, or its answers have no price."""
    embeddings: bool = False
    """It is an `Embeds`: it makes vectors of texts."""

    def left_out(self, request: GenerationRequest) -> tuple[str, ...]:
        """The settings that a request makes use of and this model can't take, by the names of their fields."""
        sampled = request.temperature > 0
        cannot = {
            "prefill": request.prefill != "" and not self.prefill,
            "temperature": sampled and not self.sampling,
            "top_p": sampled and request.top_p < 1 and not self.sampling,
            "seed": sampled and not self.seeds,
            "json_schema": request.json_schema is not None and not self.structured_output,
        }
        return tuple(name for name, missing in cannot.items() if missing)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A trained adapter under the name by which it is asked."""

    name: str
    """Adapter name, e.g. `student-1`."""
    artifacts: Artifacts
    """Its files, and the hashes that they must have."""


def file_of(deployment: Deployment, who: str, forms: Sequence[Form]) -> str:
    """The file of the first of these forms in which an adapter is there. Raises ModelNotFound where `who` needs one of
    them and there is none."""
    for form in forms:
        if form in deployment.artifacts.forms:
            return FILES[form]
    needed = " or ".join(FILES[form] for form in forms)
    raise ModelNotFound(f"adapter {deployment.name}: {who} needs {needed}, and it has none")


async def unchanged(deployment: Deployment, files: Iterable[str]) -> None:
    """See that these of an adapter's files are what the log says. Raises WrongWeights for the first that isn't."""
    for file in files:
        artifacts = deployment.artifacts
        if why := await asyncio.to_thread(why_wrong, artifacts.folder / file, artifacts.files[file]):
            raise WrongWeights(f"adapter {deployment.name}: {why}")


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


class ModelBackend(Protocol):
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

        Cancelling the task frees what its requests hold. Raises GenerationFailed, RequestRefused,
        ModelUnavailable, and ModelNotFound for an adapter that is not deployed.
        """
        ...

    def stream(self, request: GenerationRequest, adapter: str | None = None) -> AsyncIterator[str]:
        """Text as it is generated."""
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


@runtime_checkable
class Rests(Protocol):
    """A backend whose models lie in this machine's memory."""

    async def rest(self) -> None:
        """Free the memory of what nobody waits for. It is loaded again when it is asked."""
        ...


class Embeds(Protocol):
    """A backend with the capability `embeddings`."""

    async def embed(self, texts: Sequence[str]) -> "list[npt.NDArray[np.float32]]":
        """A vector for each text, all of the same length. Raises GenerationFailed, RequestRefused."""
        ...


async def get_logprobs(
    model: ModelBackend, request: GenerationRequest, adapter: str | None = None
) -> tuple[float, ...]:
    """Natural logarithm of the probability of each token that the model writes to this request.

    Raises RequestRefused where the model gives none, and what `generate` raises.
    """
    if model.capabilities.logprobs:
        [completion] = await model.generate([request], adapter)
        if completion.logprobs is not None:
            return completion.logprobs
    raise RequestRefused(f"{model.name} gives no log-probabilities")
