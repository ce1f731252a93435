"""The models that such a server has: its `/v1/models`. It fetches and deletes none by this protocol."""

from collections.abc import Callable, Sequence

from agent0es.domain.text import one_line
from agent0es.errors import ConfigurationError, ModelNotFound, nearest
from agent0es.models.http import HttpClient
from agent0es.models.library import ListedModel, OnProgress, ShownModel
from agent0es.models.openai_compatible.server import Card, context_of, list_cards


class OpenAiLibrary:
    """Each method opens and closes a connection of its own."""

    def __init__(self, connect: Callable[[], HttpClient], api: str) -> None:
        self._connect, self._api = connect, api

    async def list(self) -> Sequence[ListedModel]:
        return [_listed(card) for card in await self._cards()]

    async def show(self, name: str) -> ShownModel:
        cards = await self._cards()
        for card in cards:
            if card.is_called(name):
                said = card.model_dump(mode="json", exclude_none=True, exclude={"id"})
                return ShownModel(_listed(card), {key: value for key, value in said.items() if value})
        there = nearest(name, [one_line(card.id, 100) for card in cards])
        raise ModelNotFound(f"the server has no model {name!r}; {there}")

    async def pull(self, name: str, on_progress: OnProgress) -> None:
        """Raises ConfigurationError."""
        raise ConfigurationError(f"this server fetches no models when it is asked; start it with {name}")

    async def remove(self, name: str) -> None:
        """Raises ConfigurationError."""
        raise ConfigurationError("this server deletes no models when it is asked; delete the files where it runs")

    async def _cards(self) -> Sequence[Card]:
        client = self._connect()
        try:
            cards = await list_cards(client, self._api)
        finally:
            await client.close()
        if cards is None:
            raise ConfigurationError(f"{client.where}: it has no list of its models")
        return cards


def _listed(card: Card) -> ListedModel:
    return ListedModel(
        one_line(card.id), context=context_of(card), detail=(card.meta.ftype if card.meta else None) or ""
    )
