"""What a user can set about a model: which one it is, and how it is asked."""

import math
from typing import Any, Literal

from pydantic import Field, field_serializer, field_validator, model_validator

from agent0es.configuration.keys import checked_url, checked_variable
from agent0es.configuration.secrets import url_without_secrets, without_secrets
from agent0es.configuration.section import Section
from agent0es.configuration.sources import short


class ModelSettings(Section):
    """One model and how it is asked."""

    backend: str = "openvino"
    """Entry point in the group `agent0es.models`."""
    name: str = Field(default="smollm2-135m-instruct", min_length=1)
    """Name or path of the weights, as the backend understands it."""
    base_url: str | None = None
    """Where the model's server is, e.g. `http://localhost:8000/v1`; `null` for the backend's usual place."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key of the server, or of `<name>_FILE` with the path of a file
    that holds it; `null` for the backend's usual one. The key itself is never in a configuration."""
    temperature: float = Field(default=0.6, ge=0.0, le=2.0)
    """Sampling temperature; 0 is greedy."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    """Tokens are drawn from the most likely ones that together have this probability."""
    max_tokens: int = Field(default=64, ge=1, le=32768)
    """Most tokens in one turn."""
    stop: tuple[str, ...] = ()
    """Additional strings that end a turn, e.g. a line break for a model that writes one line per turn."""
    options: dict[str, Any] = Field(default_factory=dict, repr=False)
    """What else the backend takes, e.g. `threads`, `max_batch`. A secret (`api_key`, `password`, …) is refused here:
    name the environment variable that holds it, as in `password_env: NAME`."""

    @field_validator("base_url")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        return None if url is None else checked_url(url)

    @field_validator("api_key_env")
    @classmethod
    def _variable(cls, name: str | None) -> str | None:
        return None if name is None else checked_variable(name)

    @field_validator("options")
    @classmethod
    def _finite(cls, options: dict[str, Any]) -> dict[str, Any]:
        """What is not finite can't be stored as JSON."""
        waiting = [("", options)]
        while waiting:
            key, value = waiting.pop()
            if isinstance(value, dict):
                waiting += value.items()
            elif isinstance(value, list | tuple):
                waiting += [(key, inner) for inner in value]
            elif isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{short(key)} must be a finite number, not {value}")
        return options

    @field_serializer("options")
    def _options_without_secrets(self, options: dict[str, Any]) -> Any:
        """RunStarted keeps the configuration, and nothing in the log is ever deleted."""
        return without_secrets(options)

    @field_serializer("name")
    def _name_without_secrets(self, name: str) -> str:
        return url_without_secrets(name)


class StudentSettings(ModelSettings):
    """The student's model, how it is asked, and in what shape it solves a task."""

    prompt: Literal["short", "tools", "guide"] = "short"
    """What the student is told: `short` for one that was trained on these tools; `tools` names them and says how they
    are called; `guide` shows a worked example as well. Every prompt gets longer, also those that are trained on."""
    trained_prompt: Literal["short", "tools", "guide"] | None = None
    """What a student with an adapter is told, and is trained on: practice under a long prompt, trained under a short
    one, needs the long one no more. `null` for the same as `prompt`."""
    observations: Literal["continued", "turns"] = "continued"
    """Where a tool's result stands: in the student's own turn, which it continues, or in a turn of the user, as in a
    chat; a model that can't continue a turn needs `turns`."""
    reminders: int = Field(default=0, ge=0, le=8)
    """How often in an attempt a student in whose words there is neither a call nor an answer is asked for one of them;
    with `observations: turns`."""

    @model_validator(mode="after")
    def _only_in_a_chat(self) -> "StudentSettings":
        if self.reminders and self.observations != "turns":
            raise ValueError("reminders are turns of a chat: set observations to turns, or reminders to 0")
        return self
