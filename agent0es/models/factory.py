"""Backends by name, from the entry point group `agent0es.models`."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent0es import plugins
from agent0es.errors import ConfigurationError
from agent0es.models.base import ModelBackend
from agent0es.models.library import ModelLibrary


def create_backend(
    backend: str,
    name: str,
    *,
    cache: Path | None = None,
    base_url: str | None = None,
    api_key_env: str | None = None,
    **options: Any,
) -> ModelBackend:
    """A backend for the model `name`. Nothing is loaded yet. `cache` is a folder for what can be made again.

    A backend is a class with `create(name, *, cache, **options)`. One that talks to a server takes `base_url` too, and
    `api_key_env`, the name of the variable that holds the key. Raises ConfigurationError for an unknown backend or
    option, and ModelNotFound for an unknown model.
    """
    server = {"base_url": base_url, "api_key_env": api_key_env}
    made: ModelBackend = _called(backend, backend_class(backend).create, name, server=server, cache=cache, **options)
    return made


def library_of(
    backend: str,
    *,
    cache: Path | None = None,
    base_url: str | None = None,
    api_key_env: str | None = None,
    **options: Any,
) -> ModelLibrary | None:
    """The models that the backend has or can fetch; None where it can't tell. Raises as `create_backend` does."""
    library = getattr(backend_class(backend), "library", None)
    if library is None:
        return None
    server = {"base_url": base_url, "api_key_env": api_key_env}
    made: ModelLibrary = _called(backend, library, server=server, cache=cache, **options)
    return made


def is_elsewhere(backend: str) -> bool:
    """Whether this backend's models run in a server, which is to be seen before a run begins."""
    return "base_url" in inspect.signature(backend_class(backend).create).parameters


def has_prefix_cache(backend: str) -> bool:
    """Whether this backend has an option `prefix_cache`, by which it keeps what it read."""
    return bool(getattr(backend_class(backend), "prefix_cache", False))


def backend_class(backend: str) -> Any:
    """The class of this name. Raises ConfigurationError for an unknown one, and for one that can't be used."""
    kind = plugins.load(plugins.MODELS, backend)
    if not callable(getattr(kind, "create", None)):
        raise plugins.broken(plugins.MODELS, backend, "has no method create(name, *, cache, **options)")
    return kind


def _called(
    backend: str, call: Callable[..., Any], *arguments: Any, server: Mapping[str, str | None], **keywords: Any
) -> Any:
    """What a backend's own method makes of keywords, and of those about a server that are set.

    Raises ConfigurationError for one that it doesn't take.
    """
    given = {key: value for key, value in server.items() if value is not None}
    parameters = inspect.signature(call).parameters
    for key in given:
        if key not in parameters:
            raise ConfigurationError(f"{backend}: this backend takes no {key}; leave it out, or choose another backend")
    if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters.values()):
        for key in keywords:
            if key not in parameters:
                known = ", ".join(one for one in parameters if one not in ("name", "cache", *server)) or "none"
                raise ConfigurationError(f"{backend}: unknown option {key}; there are: {known}")
    return call(*arguments, **given, **keywords)
