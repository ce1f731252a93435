"""What an engine's two sides say to each other: the parent, `engine.py`, and the process that it starts."""

from dataclasses import dataclass
from typing import Any

from agent0es.models.artifacts import Artifacts


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """A request in the engine's terms: the prompt is one text, in the model's own chat format."""

    prompt: str
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0
    json_schema: dict[str, Any] | None = None
    prefix: bool = False
    """Only the beginning of other prompts, to be read into the cache. It is cut to whole blocks."""
    shared: str = ""
    """What of the prompt's beginning other requests have too, for an engine that reads it once by itself."""
    adapter: str | None = None
    """Of the adapters that this engine serves, by its name; None is the base. Engines of merged weights have none."""


@dataclass(frozen=True, slots=True)
class Generated:
    """What an engine answers."""

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Same length as token_ids."""
    finish_reason: str
    prompt_tokens: int
    seconds: float
    cached_tokens: int | None = None
    """Of the prompt, what the engine had read before; None where it doesn't say."""


@dataclass(frozen=True, slots=True)
class Ask:
    """To the engine: generate."""

    number: int
    request: EngineRequest
    stream: bool


@dataclass(frozen=True, slots=True)
class Cancel:
    """To the engine: nobody waits for this request now."""

    number: int


@dataclass(frozen=True, slots=True)
class Load:
    """To the engine: say when the weights are loaded."""

    number: int


@dataclass(frozen=True, slots=True)
class Deploy:
    """To the engine: load an adapter beside the base."""

    number: int
    name: str
    artifacts: Artifacts


@dataclass(frozen=True, slots=True)
class Retire:
    """To the engine: forget an adapter."""

    name: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """From the engine: the answer to Load and Deploy."""

    number: int


@dataclass(frozen=True, slots=True)
class Text:
    """From the engine: more text of a streamed request."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """From the engine: a finished request. The time it took is measured here, not there."""

    number: int
    generated: Generated


@dataclass(frozen=True, slots=True)
class Refused:
    """From the engine: a request that can't be answered as it is."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Missing:
    """From the engine: an adapter that could not be loaded, to whoever deploys it or asks it."""

    number: int
    reason: str
    wrong: bool
    """A file of it does not have the hash that it should."""


@dataclass(frozen=True, slots=True)
class Broken:
    """From the engine, its last words."""

    reason: str
    unusable: bool
    """A retry would fail as well: the library does not take the weights."""
    wrong: bool = False
    """The file does not have the hash that was asked for."""
    memory: bool = False
    """There was not enough of it."""


ToEngine = Ask | Cancel | Load | Deploy | Retire
FromEngine = Loaded | Text | Answered | Refused | Missing | Broken
