"""The router as every command opens it: a real server behind a local model that is unsure, and what breaks there."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from agent0es.bootstrap import open_store
from agent0es.configuration import load_configuration
from agent0es.domain import events as ev
from agent0es.models.base import GenerationRequest
from agent0es.runs import answerers
from agent0es.runs.routing import NobodyAnswered, open_router, posed
from tests.support import http_server as raw
from tests.support.http_server import Fault
from tests.support.openai_server import OpenAiServer

HERE = "tests.integration.run.test_router_faults"


def unsure(request: GenerationRequest, adapter: str | None) -> str:
    return f"Answer: {request.seed}\n"


def right(request: GenerationRequest, adapter: str | None) -> str:
    return "Answer: 408"


def ask(
    store: Path, server: OpenAiServer, *settings: str, questions: int = 1
) -> list[ev.RouteAnswered | NobodyAnswered]:
    """What came of these questions, asked one after the other."""
    configuration = load_configuration(
        overrides=[
            "router.local.backend=scripted",
            f"router.local.name={HERE}:unsure",
            "router.local.demonstrations=0",
            "router.cloud.backend=openai-compatible",
            "router.cloud.name=tiny",
            f"router.cloud.base_url={server.url}",
            "router.cloud.options={tries: 1}",
            "router.cloud.input_price=1",
            "router.cloud.output_price=10",
            "router.timeout_seconds=5",
            *settings,
        ],
        environment={},
    )

    async def answers() -> list[Any]:
        found: list[Any] = []
        with open_store(store, create=True) as log:
            async with open_router(store, log, configuration) as router:
                for number in range(questions):
                    try:
                        found.append((await router.answer(posed(f"What is 12 times 34? ({number})", "math"))).event)
                    except NobodyAnswered as error:
                        found.append(error)
        return found

    return asyncio.run(answers())


def test_a_server_that_hangs_before_the_first_question_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answerers, "LOOK_SECONDS", 0.5)
    with OpenAiServer(right) as server:
        server.fail(raw.silent(600.0), on="/v1/models", times=2)
        begin = time.monotonic()
        [first, second] = ask(tmp_path / "store", server, questions=2)
        assert time.monotonic() - begin < 120.0
        assert isinstance(first, ev.RouteAnswered) and first.candidate == "local"
        assert isinstance(second, ev.RouteAnswered) and second.candidate == "cloud", "it is there again"


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (
            raw.status(302, "", location="http://127.0.0.1:1/"),
            "HTTP 302: it sends to another address; set router.cloud.",
        ),
        (raw.WRONG_TYPE, "text/html came where text/event-stream was asked for"),
        (raw.status(401, {"error": {"message": "no such key"}}), "no such key; set router.cloud.api_key_env"),
        (raw.silent(600.0), "gave no answer within 5 seconds"),
    ],
    ids=["redirect", "a page", "key", "silent"],
)
def test_an_answer_comes_all_the_same_and_why_is_said(tmp_path: Path, fault: Fault, why: str) -> None:
    with OpenAiServer(right) as server:
        server.fail(fault, on="/chat/")
        [answer] = ask(tmp_path / "store", server)
    assert isinstance(answer, ev.RouteAnswered) and answer.candidate == "local"
    with open_store(tmp_path / "store") as log:
        [*_, last] = [one.event for one in log.read(types=["RouteDecided"])]
    assert isinstance(last, ev.RouteDecided) and why in (last.candidates[1].unavailable or "")
