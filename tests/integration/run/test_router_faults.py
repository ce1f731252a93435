"""The router as every command opens it: a real server behind a local model that is unsure, and what breaks there."""

import asyncio
import time
from pathlib import Path

import pytest

from agent0es.bootstrap import open_store
from agent0es.configuration import load_configuration
from agent0es.domain import events as ev
from agent0es.models.base import GenerationRequest
from agent0es.runs import answerers
from agent0es.runs.routing import open_router, posed
from tests.support import http_server as raw
from tests.support.http_server import Fault
from tests.support.openai_server import OpenAiServer

HERE = "tests.integration.run.test_router_faults"
SHORT, LONG = 12, 100
"""Seconds: for who waits in vain, and for who waits for a busy machine."""


def unsure(request: GenerationRequest, adapter: str | None) -> str:
    return f"Answer: {request.seed}\n"


def right(request: GenerationRequest, adapter: str | None) -> str:
    return "Answer: 408"


def ask(store: Path, server: OpenAiServer, seconds: int) -> ev.RouteAnswered:
    """The answer to a question, with so much time for each model."""
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
            f"router.timeout_seconds={seconds}",
        ],
        environment={},
    )

    async def answer() -> ev.RouteAnswered:
        with open_store(store, create=True) as log:
            async with open_router(store, log, configuration) as router:
                return (await router.answer(posed("What is 12 times 34?", "math"))).event

    return asyncio.run(answer())


@pytest.mark.parametrize(
    ("times", "seconds", "who"), [(2, SHORT, "local"), (1, LONG, "cloud")], ids=["hangs", "is back"]
)
def test_a_server_that_hangs_before_the_first_question_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, seconds: int, who: str
) -> None:
    monkeypatch.setattr(answerers, "LOOK_SECONDS", 0.5)
    with OpenAiServer(right) as server:
        server.fail(raw.silent(600.0), on="/v1/models", times=times)
        begin = time.monotonic()
        answer = ask(tmp_path / "store", server, seconds)
        assert time.monotonic() - begin < 120.0
    assert answer.candidate == who


@pytest.mark.parametrize(
    ("fault", "seconds", "why"),
    [
        (
            raw.status(302, "", location="http://127.0.0.1:1/"),
            LONG,
            "HTTP 302: it sends to another address; set router.cloud.",
        ),
        (raw.WRONG_TYPE, LONG, "text/html came where text/event-stream was asked for"),
        (raw.status(401, {"error": {"message": "no such key"}}), LONG, "no such key; set router.cloud.api_key_env"),
        (raw.silent(600.0), SHORT, f"gave no answer within {SHORT} seconds"),
    ],
    ids=["redirect", "a page", "key", "silent"],
)
def test_an_answer_comes_all_the_same_and_why_is_said(tmp_path: Path, fault: Fault, seconds: int, why: str) -> None:
    with OpenAiServer(right) as server:
        server.fail(fault, on="/chat/")
        answer = ask(tmp_path / "store", server, seconds)
    assert answer.candidate == "local"
    with open_store(tmp_path / "store") as log:
        [*_, last] = [one.event for one in log.read(types=["RouteDecided"])]
    assert isinstance(last, ev.RouteDecided) and why in (last.candidates[1].unavailable or "")
