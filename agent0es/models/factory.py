"""Backends by name, from the entry point group `agent0es.models`."""

from pathlib import Path
from typing import Any

from agent0es import plugins
from agent0es.models.base import ModelBackend


def create_backend(backend: str, name: str, *, cache: Path | None = None, **options: Any) -> ModelBackend:
    """A backend for the model `name`. Nothing is loaded yet. `cache` is a folder for what can be made again.

    A backend is a class with `create(name, *, cache, **options)`. Raises ConfigurationError for an unknown backend or
    option, and ModelNotFound for an unknown model.
    """
    made: ModelBackend = backend_class(backend).create(name, cache=cache, **options)
    return made


def backend_class(backend: str) -> Any:
    """The class of this name. Raises ConfigurationError for an unknown one, and for one that can't be used."""
    kind = plugins.load(plugins.MODELS, backend)
    if not callable(getattr(kind, "create", None)):
        raise plugins.broken(plugins.MODELS, backend, "has no method create(name, *, cache, **options)")
    return kind
