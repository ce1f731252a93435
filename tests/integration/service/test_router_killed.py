"""kill -9 of a service that is asked fifty questions at once, against a real server that is paid and a budget."""

import asyncio
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from agent0es.decisions.route import draft_of
from agent0es.domain import events as ev
from agent0es.log import EventLog
from agent0es.models.base import GenerationRequest
from agent0es.router.budget import Spent, after
from tests.support.http_server import Fault
from tests.support.openai_server import OpenAiServer
from tests.support.serving import Served, served

QUESTIONS = [f"What is {number} times 34?" for number in range(1, 51)]
LIMIT = 0.2
"""Dollars. A request may cost a sixtieth of that at most, and costs a tenth of what it may: when all fifty were
reserved and hardly any settled, there is room for some more after the kill, not for all."""
SETTINGS = {
    "local.backend": "scripted",
    "local.name": "tests.integration.service.test_router_killed:small",
    "local.demonstrations": "0",
    "drafts": "0",
    "cloud.backend": "openai-compatible",
    "cloud.name": "tiny",
    "cloud.input_price": "1",
    "cloud.output_price": "10",
    "cloud.max_tokens": "100",
    "budget.per_day": str(LIMIT),
}


def small(request: GenerationRequest, adapter: str | None) -> str:
    return "Answer: 1\n"


def large(request: GenerationRequest, adapter: str | None) -> str:
    [number] = re.findall(r"What is (\d+) times", request.messages[-1].content)
    return f"Answer: {34 * int(number)}"


async def _slowly(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    await asyncio.sleep(0.3)
    async for piece in pieces:
        yield piece


def ask(service: Served, question: str) -> str | None:
    """The answer; None where the service was killed."""
    said = {"model": "router", "messages": [{"role": "user", "content": question}]}
    try:
        found = httpx.post(f"{service.url}/v1/chat/completions", json=said, timeout=300)
    except httpx.TransportError:
        return None
    assert found.status_code == 200, found.text
    return str(found.json()["choices"][0]["message"]["content"])


def test_fifty_at_once_never_pass_the_budget_and_nothing_is_paid_twice(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with OpenAiServer(large) as server, ThreadPoolExecutor(len(QUESTIONS)) as pool:
        server.fail(Fault("slow", change=_slowly), times=1000, on="/chat/")
        words = [f"--set=router.{key}={value}" for key, value in SETTINGS.items()]
        words.append(f"--set=router.cloud.base_url={server.url}")
        for answered in (8, None):  # by the paid server, when the service is killed
            with served(store, "--router", *words) as service:
                asked = [pool.submit(ask, service, question) for question in QUESTIONS]
                while answered is not None and sum(one.ended == "broken" for one in server.asked("/chat/")) < answered:
                    assert not all(one.done() for one in asked), "it was to be killed before"
                    time.sleep(0.01)
                if answered is not None:
                    service.stop(signal.SIGKILL)
                found = [one.result() for one in asked]
        paid = Counter(re.findall(r"What is \d+ times 34\?", one.body.decode())[-1] for one in server.asked("/chat/"))
    right = [f"{34 * number}" for number in range(1, 51)]
    assert all(said in ("1", wanted) for said, wanted in zip(found, right, strict=True))
    state, most = Spent(), 0.0
    made: Counter[str] = Counter()
    with EventLog.open(store / "log.db", read_only=True) as log:
        assert log.verify().ok
        reserved = 0
        for one in log.read(types=["CostReserved", "CostSettled"]):
            reserved += isinstance(one.event, ev.CostReserved)
            state = after(state, one.event)
            most = max(most, state.total)
        questions = {one.event.route: one.event.posed.description for one in log.read(types=["RouteAsked"])
                     if isinstance(one.event, ev.RouteAsked)}  # fmt: skip
        names = {one.stream for one in log.read(types=["Verified"]) if "/cloud-" in one.stream}
        for name in names:
            assert draft_of(one.event for one in log.read(stream=name)) is not None
            made[questions[name.split("/")[2]]] += 1
    assert 0 < most <= LIMIT + 1e-9, "the budget was passed"
    assert state.open, "of those that were killed"
    assert len(made) > 8 and set(made.values()) == {1}, "what was paid and written down is not asked again"
    assert sum(said != "1" for said in found) == len(made)
    assert sum(paid.values()) <= reserved, "the server was asked for something that no budget knows of"
