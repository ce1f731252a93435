"""The models that there are to choose from: at the backends of a configuration, or at one that is named."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agent0es import bootstrap
from agent0es.errors import Agent0Error, ConfigurationError
from agent0es.models.library import ListedModel, ModelLibrary, PullProgress
from agent0es.runs.models import ConfiguredModel, models_of

if TYPE_CHECKING:
    from agent0es.configuration import Configuration

__all__ = ["ListedModel", "Place", "PullProgress", "Shelf", "library_for", "shelves"]

EMBEDDED = "openvino"
"""The backend that serves the models which come with packages."""


class Place(NamedTuple):
    """A backend that is named in place of those of the configuration."""

    backend: str
    base_url: str | None = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """The models of one backend at one place."""

    backend: str
    base_url: str | None
    models: tuple[ListedModel, ...] = ()
    problem: str | None = None
    """Why nobody knows which there are, in one line."""


async def shelves(configuration: "Configuration", store: Path, place: Place | None) -> list[Shelf]:
    """The models of each backend that can tell: of the configuration's and the embedded one, or of the one named."""
    from agent0es.configuration.secrets import text_without_secrets

    found: dict[tuple[str, str | None], Shelf] = {}
    for model in _at(configuration, place):
        key = (model.settings.backend, model.settings.base_url)
        if key in found:
            continue
        try:
            library = bootstrap.library_of(model.roles[0], model.settings, store)
            if library is not None or place is not None:
                found[key] = Shelf(*key, tuple(await _told(library, model).list()))
        except Agent0Error as error:
            found[key] = Shelf(*key, problem=text_without_secrets(str(error)))
    return list(found.values())


def library_for(
    configuration: "Configuration", store: Path, place: Place | None, name: str
) -> tuple[ConfiguredModel, ModelLibrary]:
    """Where a name is looked up, and the library there: the backend that is named, or else the one that the
    configuration has for this name, or that of the student. Names of embedded models are known everywhere.

    Raises ConfigurationError for a backend whose models can't be looked at, and what opening it raises.
    """
    from agent0es.models.weights import PUBLISHED

    models = _at(configuration, place)
    named = [model for model in models if model.settings.name == name]
    if place is None and not named:
        named = [models[-1] if name in PUBLISHED else models_of(configuration)[-1]]
    model = (named or models)[0]
    library = bootstrap.library_of(model.roles[0], model.settings, store)
    if library is None and place is None and name in PUBLISHED:  # a backend that takes embedded models, too
        model = models[-1]
        library = bootstrap.library_of(model.roles[0], model.settings, store)
    return model, _told(library, model)


def _at(configuration: "Configuration", place: Place | None) -> list[ConfiguredModel]:
    """The configured models and the embedded one; or those of a place, of which there is one at least."""
    from agent0es.configuration import ModelSettings

    models = models_of(configuration)
    if place is None:
        return [*models, ConfiguredModel(("student",), ModelSettings(backend=EMBEDDED))]
    there = [
        model
        for model in models
        if model.settings.backend == place.backend and place.base_url in (None, model.settings.base_url)
    ]
    return there or [ConfiguredModel(("student",), ModelSettings(backend=place.backend, base_url=place.base_url))]


def _told(library: ModelLibrary | None, model: ConfiguredModel) -> ModelLibrary:
    if library is None:
        raise ConfigurationError(f"{model.settings.backend}: this backend can't tell which models there are")
    return library
