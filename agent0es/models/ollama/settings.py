"""What a user may set of the backend beside the model's name: `models.<role>.options`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from agent0es.errors import ConfigurationError

Think = bool | Literal["low", "medium", "high", "max"]

DEFAULT_CONTEXT = 8192
"""Tokens. The server's own default is 4,096 on most machines, and what is longer was cut without a word."""
LEVELS = ("low", "medium", "high", "max")
"""Of thinking."""
NEUTRAL: Mapping[str, int | float] = MappingProxyType(
    {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
)
"""Sampling is by temperature and top_p alone, as a request says, and not by what a Modelfile or the server adds."""
COUNTS = ("top_k", "repeat_last_n", "num_gpu", "num_thread", "num_batch", "main_gpu", "num_keep", "draft_num_predict")
SHARES = ("min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty")
"""Of Ollama's options, those that may be set: whole numbers, and numbers."""
OPTIONS = ("num_ctx", "think", "keep_alive", "weights", *COUNTS, *SHARES)


@dataclass(frozen=True, slots=True)
class OllamaSettings:
    """How a model is asked."""

    num_ctx: int | None = None
    """Tokens that a request may read and write together; None: 8,192, or fewer where the model was made for fewer."""
    think: Think = False
    """Whether the model thinks before it speaks, or how much. What it thinks counts against `max_tokens`."""
    keep_alive: str | int | None = None
    """How long the server keeps the model loaded after an answer: `30m`, seconds, -1 for ever. None: as it likes."""
    options: Mapping[str, int | float] = field(default_factory=lambda: NEUTRAL)
    """Further options of Ollama, sent as they are."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "OllamaSettings":
        """Raises ConfigurationError for what is unknown or out of range. `weights` is not looked at."""
        further: dict[str, int | float] = dict(NEUTRAL)
        for name, value in options.items():
            if name not in OPTIONS:
                raise ConfigurationError(f"ollama: unknown option {name}; there are: {', '.join(OPTIONS)}")
            whole = isinstance(value, int) and not isinstance(value, bool)
            if name == "num_ctx" and not (whole and value >= 1):
                raise ConfigurationError(f"ollama: num_ctx must be a whole number from 1 up, not {value!r}")
            if name == "think" and not (isinstance(value, bool) or value in LEVELS):
                raise ConfigurationError(f"ollama: think must be true, false, low, medium, high or max, not {value!r}")
            if name == "keep_alive" and not (whole or (isinstance(value, str) and value)):
                raise ConfigurationError(f"ollama: keep_alive must be a time such as 30m, or seconds, not {value!r}")
            if name in COUNTS and not whole:
                raise ConfigurationError(f"ollama: {name} must be a whole number, not {value!r}")
            if name in SHARES and not (whole or isinstance(value, float)):
                raise ConfigurationError(f"ollama: {name} must be a number, not {value!r}")
            if name in (*COUNTS, *SHARES):
                further[name] = value
        return cls(options.get("num_ctx"), options.get("think", False), options.get("keep_alive"), further)
