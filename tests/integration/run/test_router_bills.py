"""What is booked for a request to a real server that answers it, breaks off, or can't count."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from agent0es.configuration import BudgetSettings
from agent0es.domain import events as ev
from agent0es.domain.prompt import Message
from agent0es.errors import Agent0Error
from agent0es.log import EventLog
from agent0es.models.base import Completion, GenerationFailed, GenerationRequest, RequestRefused
from agent0es.models.http import Key
from agent0es.models.openai_compatible import OpenAiCompatibleBackend
from agent0es.models.openai_compatible.options import OpenAiOptions
from agent0es.router.budget import Budget, BudgetExhausted, Purse
from agent0es.router.metered import Metered, Price
from tests.support import http_server as raw
from tests.support.http_server import Fault
from tests.support.openai_server import OpenAiServer

PRICE = Price(1.0, 10.0)
REQUEST = GenerationRequest((Message("user", "How much?"),), max_tokens=100)
MOST = PRICE.most(REQUEST)
COST = (3 * PRICE.read + 2 * PRICE.written) / 1e6
"""Of the answer: it read two words and a beginning, and wrote one word and an end."""


def rewritten(name: str, change: Callable[[bytes], bytes]) -> Fault:
    """The right answer, with each piece changed."""

    async def pieces(right: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in right:
            yield change(piece)

    return Fault(name, change=pieces)


def counted(read: str, written: str) -> Fault:
    def change(piece: bytes) -> bytes:
        piece = re.sub(rb'"prompt_tokens": \d+', f'"prompt_tokens": {read}'.encode(), piece)
        return re.sub(rb'"completion_tokens": \d+', f'"completion_tokens": {written}'.encode(), piece)

    return rewritten("other counts", change)


NO_USAGE = rewritten("no usage", lambda piece: re.sub(rb'"usage": \{.*\}\}', b'"usage": null}', piece))
NOT_NUMBERS = rewritten("NaN", lambda piece: re.sub(rb'"logprob": [-\d.e]+', b'"logprob": NaN', piece))


async def ask(
    log: EventLog, server: OpenAiServer, limit: float | None = 1.0, **options: Any
) -> Completion | Agent0Error:
    backend = OpenAiCompatibleBackend("tiny", server.url, Key(None), OpenAiOptions(tries=3, **options))
    metered = Metered(backend, PRICE, Budget(log, BudgetSettings(per_day=limit)), "route-1", "cloud", Purse())
    try:
        [completion] = await metered.generate([REQUEST])
        return completion
    except Agent0Error as error:
        return error


def booked(log: EventLog) -> list[float | None]:
    """What was settled, in order. Everything that was reserved is."""
    settled = [one.event.cost_usd for one in log.read() if isinstance(one.event, ev.CostSettled)]
    assert len(settled) == sum(isinstance(one.event, ev.CostReserved) for one in log.read())
    return settled


@pytest.mark.parametrize(
    ("fault", "costs"),
    [
        (raw.RESET, [None, COST]),  # it was writing: nobody knows what that costs
        (raw.ENDED, [None, COST]),
        (raw.WRONG_TYPE, [None, COST]),
        (raw.status(500, {"error": {"message": "broken"}}), [COST]),
        (raw.status(504, {"error": {"message": "nobody answers behind me"}}), [None, COST]),
        (raw.status(429, {"error": {"message": "slowly"}}, retry_after="0"), [COST]),
    ],
    ids=lambda one: one.name if isinstance(one, Fault) else "",
)
async def test_each_time_that_a_server_may_charge_is_reserved_and_booked(
    fault: Fault, costs: list[float | None]
) -> None:
    with EventLog.open(":memory:") as log, OpenAiServer(lambda request, adapter: "42") as server:
        server.fail(fault, on="/chat/")
        found = await ask(log, server)
        assert isinstance(found, Completion) and booked(log) == [cost and pytest.approx(cost) for cost in costs]
        assert found.cost_usd == pytest.approx(sum(MOST if cost is None else cost for cost in costs))


async def test_a_request_that_broke_off_is_not_sent_again_beyond_the_budget() -> None:
    with EventLog.open(":memory:") as log, OpenAiServer(lambda request, adapter: "42") as server:
        server.fail(raw.RESET, on="/chat/", times=9)
        assert isinstance(await ask(log, server, limit=2.5 * MOST), BudgetExhausted)
        assert booked(log) == [None, None] and len(server.asked("/chat/")) == 2


FILTERED = rewritten(
    "filtered", lambda piece: piece.replace(b'"finish_reason": "stop"', b'"finish_reason": "content_filter"')
)


async def test_what_a_filter_took_away_was_written_all_the_same() -> None:
    with EventLog.open(":memory:") as log, OpenAiServer(lambda request, adapter: "42") as server:
        server.fail(FILTERED, on="/chat/")
        assert isinstance(await ask(log, server), RequestRefused)
        assert booked(log) == [None] and len(server.asked("/chat/")) == 1


async def test_a_server_that_is_gone_costs_nothing() -> None:
    with EventLog.open(":memory:") as log, OpenAiServer(lambda request, adapter: "42") as server:
        server.fail(server.refusal(None), on="/chat/")  # lost while it may have been at work; then nobody is there
        assert isinstance(await ask(log, server), GenerationFailed)
        assert booked(log) == [None, 0.0]


@pytest.mark.parametrize(
    "fault",
    [NO_USAGE, counted("0", "5"), counted("-100000", "-5"), counted("7", "0")],
    ids=["none", "nothing read", "negative", "nothing written"],
)
async def test_tokens_that_were_not_counted_are_booked_in_full(fault: Fault) -> None:
    with EventLog.open(":memory:") as log, OpenAiServer(lambda request, adapter: "forty two") as server:
        server.fail(fault, on="/chat/")
        found = await ask(log, server, logprobs=False)
        assert isinstance(found, Completion) and found.text == "forty two"
        assert found.usage.prompt >= 0 and found.usage.written >= 0
        assert booked(log) == [None] and found.cost_usd == MOST


async def test_more_tokens_than_there_are_end_nothing() -> None:
    with EventLog.open(":memory:") as log, OpenAiServer(lambda request, adapter: "42") as server:
        server.fail(counted("1" + 30 * "0", "2"), on="/chat/")
        found = await ask(log, server)
        assert isinstance(found, Completion) and found.usage.prompt == 2**31 - 1


async def test_a_probability_that_is_no_number_makes_nobody_sure() -> None:
    with EventLog.open(":memory:") as log, OpenAiServer(lambda request, adapter: "42") as server:
        server.fail(NOT_NUMBERS, on="/chat/")
        found = await ask(log, server)
        assert isinstance(found, Completion) and found.mean_logprob == -9999.0
