"""A model whose requests cost money: each is reserved in the budget before it is made, and settled after it."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from agent0es.configuration import RoutedModelSettings
from agent0es.domain import events as ev
from agent0es.errors import ModelNotFound, UserError
from agent0es.models.base import (
    Capabilities,
    Completion,
    Deployment,
    GenerationRequest,
    Health,
    ModelBackend,
    ModelUnavailable,
    RequestRefused,
    Weights,
)
from agent0es.models.factory import is_elsewhere
from agent0es.models.paid import try_failed
from agent0es.models.waiting import side_by_side
from agent0es.router.budget import Budget, Purse, Reservation

TURN_TOKENS = 16
"""Tokens that a chat format takes at most for each turn, beside the words."""
MILLION = 1_000_000
UNCHARGED = (RequestRefused, ModelUnavailable, ModelNotFound)
"""Errors of a server that has answered nothing: it has not written a token."""


class PriceUnknown(UserError):
    """Nobody knows what a request would cost, and there is a budget."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens."""

    read: float
    written: float

    @property
    def is_nothing(self) -> bool:
        """Whether it costs nothing."""
        return self.read == self.written == 0.0

    def of(self, completion: Completion) -> float | None:
        """What an answer cost; None where its tokens were not counted."""
        usage = completion.usage
        if not usage.prompt or (completion.text and not usage.written):
            return None
        return (usage.prompt * self.read + usage.written * self.written) / MILLION

    def most(self, request: GenerationRequest) -> float:
        """The highest cost of a request: a byte is a token at least, and it writes all that it may."""
        texts = [*(message.content for message in request.messages), request.prefill]
        read = sum(len(text.encode("utf-8", "replace")) + TURN_TOKENS for text in texts)
        return math.ceil(read * self.read + request.max_tokens * self.written) / MILLION


class _Bill:
    """What one request comes to. Each time that it is sent again after one for which the server may charge, the most
    that it may cost is reserved again."""

    def __init__(self, budget: Budget, route: str, who: ev.CandidateName, purse: Purse, most: float) -> None:
        self._budget, self._route, self._who, self._purse, self._most = budget, route, who, purse, most
        self._held: Reservation | None = None
        self._free = False
        """Whether the last try failed, and cost nothing."""
        self.total = 0.0
        """Dollars; what nobody knows counts in full."""

    async def begin(self) -> None:
        self._held = await self._budget.reserve(self._route, self._who, self._most, self._purse)

    async def failed(self, charged: bool, again: bool) -> None:
        """As `try_failed` says. Raises BudgetExhausted where it must not be sent again."""
        self._free = not charged and not again
        if charged:
            await asyncio.shield(self.end(None))
            if again:
                await self.begin()

    async def end(self, cost: float | None) -> None:
        """Settle what is open; None where nobody knows what it cost."""
        held, self._held = self._held, None
        if held is not None:
            cost = 0.0 if cost is None and self._free else cost
            self.total += self._most if cost is None else cost
            await self._budget.settle(held, cost, self._purse)


class Metered:
    """A model backend for one question, within its budgets."""

    def __init__(
        self, model: ModelBackend, price: Price | None, budget: Budget, route: str, who: ev.CandidateName, purse: Purse
    ) -> None:
        """`price` is None where nobody knows it."""
        self._model, self._price, self._budget = model, price, budget
        self._route, self._who, self._purse = route, who, purse

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def capabilities(self) -> Capabilities:
        return self._model.capabilities

    @property
    def weights(self) -> Weights | None:
        return self._model.weights

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        """As the protocol says. Raises BudgetExhausted and PriceUnknown before a request is made."""
        return await side_by_side(self._one(request, adapter) for request in requests)

    async def _one(self, request: GenerationRequest, adapter: str | None) -> Completion:
        price = self._price
        if price is None and self._budget.is_set:
            raise PriceUnknown(why_unpriced(self._who))
        if price is None or price.is_nothing:
            [completion] = await self._model.generate([request], adapter)
            self._purse.unknown |= price is None and completion.cost_usd is None
            self._purse.spent += (completion.cost_usd or 0.0) if price is None else 0.0
            return completion
        bill = _Bill(self._budget, self._route, self._who, self._purse, price.most(request))
        await bill.begin()
        try_failed.set(bill.failed)  # of this task alone
        cost: float | None = None
        try:
            [completion] = await self._model.generate([request], adapter)
            cost = price.of(completion)
        except UNCHARGED:
            cost = 0.0
            raise
        finally:
            await asyncio.shield(bill.end(cost))
        return replace(completion, cost_usd=bill.total)

    def stream(self, request: GenerationRequest, adapter: str | None = None) -> AsyncIterator[str]:
        """The whole text, because what it cost is known at its end."""
        return self._streamed(request, adapter)

    async def _streamed(self, request: GenerationRequest, adapter: str | None) -> AsyncIterator[str]:
        [completion] = await self.generate([request], adapter)
        yield completion.text

    async def health(self) -> Health:
        return await self._model.health()

    async def deploy(self, deployment: Deployment) -> None:
        await self._model.deploy(deployment)

    async def retire(self, name: str) -> None:
        await self._model.retire(name)

    async def close(self) -> None:
        """The model is whoever opened it's to close."""


def price_of(settings: RoutedModelSettings) -> Price | None:
    """What a model costs: what was set, else the published price, else nothing where it is in this machine's memory.
    None where nobody knows."""
    if settings.input_price is not None and settings.output_price is not None:
        return Price(settings.input_price, settings.output_price)
    if settings.backend == "cloud":
        from agent0es.models.cloud import published_price

        known = published_price(settings.name)
        return None if known is None else Price(*known)
    here = not is_elsewhere(settings.backend) and settings.backend != "cli"  # which may ask anybody
    return Price(0.0, 0.0) if here else None


def why_unpriced(who: str) -> str:
    """What is said of a request whose price nobody knows."""
    return (
        f"router.{who}: nobody knows the price of this model, and there is a budget; set router.{who}.input_price and "
        f"router.{who}.output_price, in dollars for a million tokens"
    )
