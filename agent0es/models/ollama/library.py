"""The models of an Ollama server: what `ollama list`, `show`, `pull` and `rm` do."""

from collections.abc import Sequence

from agent0es.models.library import ListedModel, OnProgress, PullProgress, ShownModel
from agent0es.models.ollama.api import OllamaApi
from agent0es.models.ollama.shown import facts_of
from agent0es.models.ollama.wire import Details, Listed, Show


class OllamaLibrary:
    """Each method opens and closes a connection of its own."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def list(self) -> Sequence[ListedModel]:
        api = OllamaApi(self._address)
        try:
            return [_listed(model) for model in (await api.tags()).models]
        finally:
            await api.close()

    async def show(self, name: str) -> ShownModel:
        api = OllamaApi(self._address)
        try:
            show = await api.show(name)
            sizes = {model.name: model.size for model in (await api.tags()).models}
        finally:
            await api.close()
        return _shown(name, show, sizes.get(name, sizes.get(f"{name}:latest")))

    async def pull(self, name: str, on_progress: OnProgress) -> None:
        """What was fetched before it broke off is not fetched again: the server keeps the parts."""
        api = OllamaApi(self._address)
        try:
            async for progress in api.pull(name):
                on_progress(PullProgress(progress.status, progress.completed, progress.total or None))
        finally:
            await api.close()

    async def remove(self, name: str) -> None:
        api = OllamaApi(self._address)
        try:
            await api.delete(name)
        finally:
            await api.close()


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
