"""Backends by name, from the entry point group `agent0es.models`."""

import difflib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from agent0es.errors import ConfigurationError
from agent0es.models.base import ChatTemplate, ModelBackend

GROUP = "agent0es.models"


def create_backend(backend: str, name: str, *, cache: Path | None = None, **options: Any) -> ModelBackend:
    """A backend for the model `name`. Nothing is loaded yet. `cache` is a folder for what can be made again.

    A backend is a class with `create(name, *, cache, **options)`. Raises ConfigurationError for an unknown backend or
    option, and ModelNotFound for an unknown model.
    """
    made: ModelBackend = _load(backend).create(name, cache=cache, **options)
    return made


def chat_template(backend: str) -> ChatTemplate:
    """How a backend's prompts are written, known without a model. Raises ConfigurationError when it doesn't say."""
    template: ChatTemplate | None = getattr(_load(backend), "template", None)
    if template is None:
        raise ConfigurationError(f"model backend {backend!r} has no template, so its datasets can't be recomputed")
    return template


def _load(backend: str) -> Any:
    points = {point.name: point for point in entry_points(group=GROUP)}
    if backend not in points:
        close = difflib.get_close_matches(backend, points, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(sorted(points)) or 'none'}"
        raise ConfigurationError(f"no model backend {backend!r}; {hint}")
    return points[backend].load()
