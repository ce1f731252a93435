"""The models of a server's `/v1/models`. What it serves, it was started with, or fetches when it is asked."""

from collections.abc import Sequence

from agent0es.domain.text import one_line
from agent0es.errors import ConfigurationError, ModelNotFound, nearest
from agent0es.models.http import HttpClient
from agent0es.models.library import ListedModel, OnProgress, ShownModel
from agent0es.models.openai_compatible.server import Card, context_of, list_cards


class OpenAiLibrary:
    """Each method closes the client when it is done."""

    def __init__(self, client: HttpClient, api: str) -> None:
        self._client, self._api = client, api

    async def list(self) -> Sequence[ListedModel]:
        return [_listed(card) for card in await self._cards()]

    async def show(self, name: str) -> ShownModel:
        cards = await self._cards()
        card = next((one for one in cards if one.is_called(name)), None)
        if card is None:
            there = nearest(name, [one_line(one.id, 100) for one in cards])
            raise ModelNotFound(f"{self._client.where}: it has no model {name!r}; {there}")
        return ShownModel(_listed(card), {"aliases": list(card.aliases)} if card.aliases else {})

    async def pull(self, name: str, on_progress: OnProgress) -> None:
        """Nothing, where the server has it. Raises ConfigurationError where it hasn't."""
        if not any(card.is_called(name) for card in await self._cards()):
            raise ConfigurationError(f"{self._client.where}: it fetches no models; start it with {name}")

    async def removable(self, name: str) -> None:
        """Raises ConfigurationError: what a server serves, it was started with."""
        raise ConfigurationError(f"{self._client.where}: it deletes no models; start it without {name}")

    async def remove(self, name: str) -> None:
        await self.removable(name)

    async def _cards(self) -> Sequence[Card]:
        try:
            cards = await list_cards(self._client, self._api)
        finally:
            await self._client.close()
        if cards is None:
            raise ConfigurationError(f"{self._client.where}: it has no list of its models")
        return cards


def _listed(card: Card) -> ListedModel:
    return ListedModel(one_line(card.id, 200), context=context_of(card), detail=one_line(card.owned_by or "", 60))
