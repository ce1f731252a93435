"""What a user can set of any backend that asks a server: `models.<role>.options`."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent0es.errors import ConfigurationError


class HttpOptions(BaseModel):
    """A backend adds its own fields in a subclass."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connect_seconds: float = Field(default=10.0, gt=0)
    """Most time for the connection."""
    first_token_seconds: float = Field(default=300.0, gt=0)
    """Most time until the answer begins, and between two of its pieces: the server's own queue included."""
    whole_seconds: float = Field(default=1800.0, gt=0)
    """Most time for a whole answer."""
    tries: int = Field(default=8, ge=1)
    """How often a request is sent at most. The pauses between are 0.5 s, 1 s, 2 s … 30 s, a minute in all for 8."""
    at_once: int = Field(default=64, ge=1)
    """Most requests that are with the server at the same time; others wait here."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """Most requests a minute, evenly spaced; roles that ask the same server with the same limits share them."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """Most tokens a minute, read and written ones, as `requests_per_minute`."""


Options = TypeVar("Options", bound=HttpOptions)


def options_of(kind: type[Options], backend: str, given: Mapping[str, Any]) -> Options:
    """The options of a backend. Raises ConfigurationError in one line for one that is unknown or out of range."""
    for name in given:
        if name not in kind.model_fields:
            known = ", ".join(kind.model_fields)
            raise ConfigurationError(f"{backend}: unknown option {name[:60]}; there are: {known}")
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the options"
        raise ConfigurationError(f"{backend}: {where}: {first['msg']}") from None
