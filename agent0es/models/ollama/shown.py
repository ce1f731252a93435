"""What `/api/show` says of a model, and what follows from it. Pure: a server's words are read, and bounded, here."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent0es.models.ollama.wire import Show

MOST_PARAMETERS = 200
_BLOB = re.compile(r"^FROM .*\bsha256[-:]([0-9a-f]{64})\s*$", re.MULTILINE)
_TEMPLATE = re.compile(r'^TEMPLATE (?:"""(.*?)"""|"([^"]*)"|([^"\n][^\n]*))$', re.MULTILINE | re.DOTALL)
NO_TEMPLATE = "{{ .Prompt }}"
"""What the server shows of a model that has none of its own."""
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_UNUSABLE = re.compile(r"[^A-Za-z0-9_.-]")
SIZES = ("block_count", "embedding_length", "feed_forward_length", "attention.head_count", "vocab_size")
LOGPROBS_SINCE = (0, 12, 11)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model on a server."""

    name: str
    """As the server knows it, e.g. `llama3.2:3b`."""
    capabilities: frozenset[str]
    """`completion`, `thinking`, `tools`, `embedding`, …"""
    quantization: str
    """E.g. `Q4_K_M`; empty where the server doesn't say."""
    context: int | None
    """Most tokens that the model was made for."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """The Modelfile's, such as temperature and stop; what is given several times is a list."""
    info: Mapping[str, Any] = field(default_factory=dict)
    """Metadata of its GGUF."""
    remote: bool = False
    """Another server answers, such as Ollama's cloud."""
    sha256: str | None = None
    """Of its GGUF; None where the server doesn't say."""
    made_with: Mapping[str, Any] = field(default_factory=dict)
    """What `/api/create` takes to make another model that is asked in the same way."""

    @property
    def stop(self) -> tuple[str, ...]:
        """The model's own stop strings. A request's replace them, so a request has to name them too."""
        stop = self.parameters.get("stop", ())
        return tuple(map(str, stop if isinstance(stop, list) else [stop])) if stop else ()

    @property
    def label(self) -> str:
        """Name with quantization, as the log has it."""
        tag = self.quantization.lower()
        return self.name if not tag or tag in self.name.lower() else f"{self.name}:{self.quantization}"


def facts_of(name: str, show: Show) -> ModelFacts:
    """What `/api/show` said of a model."""
    architecture = show.model_info.get("general.architecture")
    context = show.model_info.get(f"{architecture}.context_length")
    blob = _BLOB.search(show.modelfile)
    return ModelFacts(
        name=name,
        # Servers of before 2025-05 don't tell: such a model is one that writes.
        capabilities=frozenset(show.capabilities if show.capabilities is not None else ["completion"]),
        quantization="" if show.details.quantization_level == "unknown" else show.details.quantization_level,
        context=context if type(context) is int and context > 0 else None,
        parameters=parameters_of(show.parameters),
        info=show.model_info,
        remote=bool(show.remote_model or show.remote_host),
        sha256=blob[1] if blob else None,
        made_with=_made_with(show),
    )


def _made_with(show: Show) -> dict[str, Any]:
    """The Modelfile without its GGUF. A template that is the GGUF's own goes with that file."""
    found = _TEMPLATE.search(show.modelfile)
    template = next(filter(None, found.groups()), "") if found else ""
    parts = {
        "template": "" if template == NO_TEMPLATE else template,
        "system": show.system,
        "license": show.license,
        "renderer": show.renderer,
        "parser": show.parser,
        "messages": list(show.messages or ()),
        "parameters": parameters_of(show.parameters),
    }
    return {name: part for name, part in parts.items() if part}


def parameters_of(text: str) -> dict[str, Any]:
    """The parameters of a Modelfile as values, from the lines `name  value` in which `/api/show` gives them; values
    are written as in Go."""
    found: dict[str, list[Any]] = {}
    for line in text.splitlines()[:MOST_PARAMETERS]:
        name, _, written = line.strip().partition(" ")
        try:
            value = _value(written.strip())
        except (ValueError, SyntaxError):
            continue
        found.setdefault(name, []).append(value)
    return {name: values if name == "stop" or len(values) > 1 else values[0] for name, values in found.items()}


def _value(written: str) -> Any:
    """Raises ValueError, SyntaxError for what is none."""
    if written in ("true", "false"):
        return written == "true"
    value = ast.literal_eval(written)  # Go quotes strings as Python does
    if not isinstance(value, str | int | float):
        raise ValueError(written)
    return value


def gives_logprobs(version: str) -> bool:
    """Whether a server of this version gives log-probabilities. One that was built from source is called 0.0.0."""
    match = _VERSION.match(version)
    number = tuple(map(int, match.groups())) if match else (0, 0, 0)
    return number == (0, 0, 0) or number >= LOGPROBS_SINCE


def served_name(adapter: str, sha256: str) -> str:
    """The model that an adapter is on the server. The same weights have the same name, others another."""
    return f"agent0es/{exported_name(adapter, sha256)}"


def exported_name(adapter: str, sha256: str) -> str:
    """The model that a user makes of an exported adapter: another than a run's own, which is told nothing by itself."""
    return f"{_UNUSABLE.sub('-', adapter)}:{sha256[:16]}"


def why_other_model(facts: ModelFacts, metadata: Mapping[str, Any]) -> str | None:
    """In what a GGUF differs from the model on the server; None where they may be the same, quantized otherwise."""
    architecture = metadata.get("general.architecture")
    for key in ("general.architecture", *(f"{architecture}.{part}" for part in SIZES)):
        here, there = metadata.get(key), facts.info.get(key)
        if there is not None and here != there:
            return f"its {key} is {here}, the server's {there}"
    return None
