"""The models of an Ollama server: what `ollama list`, `show`, `pull` and `rm` do."""

from collections.abc import Sequence

from agent0es.models.library import ListedModel, OnProgress, PullProgress, ShownModel
from agent0es.models.ollama.api import OllamaApi
from agent0es.models.ollama.shown import facts_of
from agent0es.models.ollama.wire import Details, Listed, Progress, Show

PULL_TRIES = 8
WEEK = 7 * 86400.0
"""Seconds: a pull takes what it takes."""


class OllamaLibrary:
    """Each method opens and closes a connection of its own."""

    def __init__(self, api: OllamaApi) -> None:
        self._api = api

    async def list(self) -> Sequence[ListedModel]:
        async with self._api.for_a_user() as api:
            return [_listed(model) for model in (await api.tags()).models]

    async def show(self, name: str) -> ShownModel:
        async with self._api.for_a_user() as api:
            show = await api.show(name)
            sizes = {model.name: model.size for model in (await api.tags()).models}
        return _shown(name, show, sizes.get(name, sizes.get(f"{name}:latest")))

    async def pull(self, name: str, on_progress: OnProgress) -> None:
        """What was fetched before it broke off is not fetched again: the server keeps the parts."""

        def tell(progress: Progress) -> None:
            on_progress(PullProgress(progress.status, progress.completed, progress.total or None))

        async with self._api.for_a_user() as api:
            await api.version()
        async with self._api.for_a_user(tries=PULL_TRIES, whole_seconds=WEEK) as api:
            await api.pull(name, tell)

    async def removable(self, name: str) -> None:
        async with self._api.for_a_user() as api:
            await api.show(name)

    async def remove(self, name: str) -> None:
        async with self._api.for_a_user() as api:
            await api.delete(name)


def _listed(model: Listed) -> ListedModel:
    return ListedModel(
        name=model.name,
        size=model.size or None,
        here=not model.remote_model,
        detail=_in_words(model.details),
    )


def _shown(name: str, show: Show, size: int | None) -> ShownModel:
    facts = facts_of(name, show)
    properties = {
        "capabilities": sorted(facts.capabilities),
        "sha256": facts.sha256,
        "modified": show.modified_at,
        "parameters": dict(facts.parameters),
        "template": show.template,
        "system": show.system,
        "license": show.license,
    }
    return ShownModel(
        ListedModel(name, size, facts.context, here=not facts.remote, detail=_in_words(show.details)),
        {key: value for key, value in properties.items() if value},
    )


def _in_words(details: Details) -> str:
    return " ".join(filter(None, (details.family, details.parameter_size, details.quantization_level)))
