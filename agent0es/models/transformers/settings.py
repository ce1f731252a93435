"""How a model is loaded and fed: `models.<role>.options` of the backend `transformers`."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from agent0es.errors import ConfigurationError, NotInstalled


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", strict=True))
class Settings:
    """All that can be set."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` takes a GPU where torch sees one."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of weights and computation. `auto` is float32 on a CPU, and on a GPU what the weights are stored in."""
    quantize: Literal["4bit", "8bit"] | None = None
    """Keep the weights in less memory with bitsandbytes (extra `quantized`), on a GPU or a CPU."""
    threads: Annotated[int, Field(ge=0)] = 0
    """Threads on a CPU; 0 takes every core that the process may use."""
    max_batch: Annotated[int, Field(ge=1)] = 32
    """Requests that are written at once; more wait."""
    max_batched_tokens: Annotated[int, Field(ge=1)] = 2048
    """Tokens of prompts that are read in a step, what fills up shorter ones included. A longer prompt is read alone."""
    context: Annotated[int, Field(ge=1)] = 8192
    """Prompt and written tokens of one request; less where the model was trained for less."""
    prefix_cache: bool = True
    """Read what requests share at their beginning once. Then log-probabilities depend, in their last digits, on what
    was asked before: switch it off where a request must have the same answer at any time."""
    step_seconds: Annotated[float, Field(gt=0)] = 600.0
    """After a step that takes longer the model is taken to hang, and its process is started anew."""


def read_settings(options: Mapping[str, Any]) -> Settings:
    """Raises ConfigurationError for an option that is unknown or out of range, NotInstalled for a missing extra."""
    try:
        settings = Settings(**options)
    except ValidationError as error:
        first = error.errors()[0]
        name, problem = ".".join(map(str, first["loc"])), first["msg"]
        if first["type"] == "unexpected_keyword_argument":
            known = ", ".join(Settings.__dataclass_fields__)
            raise ConfigurationError(f"transformers: unknown option {name}; there are: {known}") from None
        raise ConfigurationError(f"transformers: {name}: {problem}, not {first['input']!r}") from None
    if settings.quantize and find_spec("bitsandbytes") is None:
        raise NotInstalled(
            "transformers: quantize needs bitsandbytes: pip install '.[quantized]' in a checkout of agent0es, or leave "
            "quantize out"
        )
    return settings
