"""The router behind OpenAI's protocol: asked with the library that everybody uses, and with plain HTTP."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from agent0es.domain import events as ev
from agent0es.log import EventLog
from agent0es.models.base import GenerationFailed, RequestRefused
from agent0es.router.budget import Spent, after
from agent0es.service.security import Access
from tests.support.routing import QUESTION, Counted, router
from tests.support.serving import ROOT, answering, served

RIGHT, WRONG = "12 * 34", "12 + 34"
UNSURE = (RIGHT, "1", "2", "3", "4", "5", "6", "7")
ASK = [{"role": "user", "content": QUESTION}]
DOWN = GenerationFailed("it is down")


@dataclass
class Asked:
    """A service whose router asks these models."""

    url: str
    folder: Path

    @property
    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0)

    def post(self, **body: Any) -> httpx.Response:
        return httpx.post(
            f"{self.url}/v1/chat/completions", json={"model": "router", "messages": ASK, **body}, timeout=60
        )

    def events(self, *types: str) -> list[Any]:
        with EventLog.open(self.folder / "log.db", read_only=True) as log:
            return [one.event for one in log.read(types=types)]


@contextmanager
def asked(folder: Path, local: Counted, cloud: Counted | None = None, *settings: str) -> Iterator[Asked]:
    with answering(folder, lambda log: router(folder, log, local, cloud, *settings)) as url:
        yield Asked(url, folder)


def chunks(response: httpx.Response) -> list[dict[str, Any]]:
    """The events of a stream, which follow the protocol to its end."""
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in response.text.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def test_the_library_gets_an_answer_and_how_it_came(tmp_path: Path) -> None:
    with asked(tmp_path, Counted(RIGHT, name="small")) as service:
        found = service.client.chat.completions.with_raw_response.create(model="router", messages=ASK)
        answer = found.parse()
        [choice] = answer.choices
        assert (choice.message.content, choice.message.role, choice.finish_reason) == ("408", "assistant", "stop")
        assert answer.usage is not None
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
        said = answer.model_extra["agent0es"]
        [answered] = service.events("RouteAnswered")
        assert said["route"] == answered.route == found.headers["x-agent0es-route"]
        assert (said["model"], said["candidate"], said["reason"]) == ("small", "local", "confident")
        assert (said["cost_usd"], said["cached"], said["ignored"]) == (0.0, None, [])
        assert said["confidence"] == answered.confidence > 0.7
        assert [(call["tool"], call["input"], call["output"]) for call in said["calls"]] == [("python", RIGHT, "408")]
        again = service.client.chat.completions.create(model="router:math", messages=ASK)
        assert again.model_extra["agent0es"]["cached"] == answered.route
        assert again.usage is not None and again.usage.total_tokens == 0


def test_the_library_gets_a_stream(tmp_path: Path) -> None:
    with asked(tmp_path, Counted(RIGHT, name="small")) as service:
        pieces = list(
            service.client.chat.completions.create(
                model="router", messages=ASK, stream=True, stream_options={"include_usage": True}
            )
        )
        text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
        assert text == "408"
        assert len({piece.id for piece in pieces}) == 1
        assert pieces[-1].usage is not None and pieces[-1].usage.total_tokens > 0 and pieces[-1].choices == []
        assert pieces[-2].choices[0].finish_reason == "stop"


async def test_the_library_asks_asynchronously(tmp_path: Path) -> None:
    with asked(tmp_path, Counted(RIGHT, name="small")) as service:
        client = openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key="none")
        found = await client.chat.completions.create(model="router", messages=ASK)
        assert found.choices[0].message.content == "408"


def test_a_plain_client_is_told_of_a_fallback_after_the_stream_has_begun(tmp_path: Path) -> None:
    with asked(tmp_path, Counted(*UNSURE, name="small"), Counted(RIGHT, name="large")) as service:
        found = chunks(service.post(stream=True))
        steps = [piece["agent0es"]["step"] for piece in found if "step" in piece.get("agent0es", {})]
        assert [(one["action"], one["candidate"], one["reason"]) for one in steps] == [
            ("ask", "local", "first"),
            ("ask", "cloud", "unsure"),
            ("accept", "cloud", "best"),
        ]
        texts = [piece["choices"][0]["delta"].get("content") for piece in found]
        assert [text for text in texts if text] == ["408"]
        assert found[-1]["agent0es"]["model"] == "large" and found[-1]["agent0es"]["cost_usd"] > 0
        assert all("usage" not in piece for piece in found)


def test_a_model_that_is_down_is_told_as_a_fallback(tmp_path: Path) -> None:
    with asked(tmp_path, Counted(RIGHT, name="small", down=DOWN), Counted(RIGHT, name="large")) as service:
        last = chunks(service.post(stream=True))[-1]["agent0es"]
        assert (last["candidate"], last["reason"]) == ("cloud", "best")
        steps = [one.reason for one in service.events("RouteDecided")]
        assert steps == ["first", "fallback", "best"]


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"model": "gpt-4o"}, 404, "model_not_found", "model"),
        ({"model": "router:nothing"}, 404, "model_not_found", "model"),
        ({"domain": "nothing"}, 400, "unknown_domain", "domain"),
        ({"model": "router:math", "domain": "code"}, 400, "unknown_domain", "domain"),
        ({"n": 2}, 400, "unsupported_parameter", "n"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, 400, "unsupported_parameter", "tools"),
        ({"functions": [{"name": "f"}]}, 400, "unsupported_parameter", "functions"),
        ({"logprobs": True}, 400, "unsupported_parameter", "logprobs"),
        ({"top_logprobs": 2}, 400, "unsupported_parameter", "logprobs"),
        ({"response_format": {"type": "json_object"}}, 400, "unsupported_parameter", "response_format"),
        ({"modalities": ["text", "audio"]}, 400, "unsupported_parameter", "modalities"),
        ({"messages": []}, 400, "invalid_request", "messages"),
        ({"messages": "hello"}, 400, "invalid_request", "messages"),
        ({"messages": [{"role": "assistant", "content": "hello"}]}, 400, "invalid_value", "messages.0.role"),
        ({"messages": [{"role": "tool", "content": "1"}, *ASK]}, 400, "invalid_value", "messages.0.role"),
        ({"messages": [{"role": "user", "content": " "}]}, 400, "invalid_value", "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, 400, "invalid_value", "messages.0.content"),
        ({"n": -1}, 400, "unsupported_parameter", "n"),
        ({"n": 1.5}, 400, "invalid_request", "n"),
        ({"model": None}, 400, "invalid_request", "model"),
        ({"model": "router\0"}, 404, "model_not_found", "model"),
        ({"stream": "perhaps"}, 400, "invalid_request", "stream"),
        ({"stream": True, "stream_options": "x"}, 400, "invalid_request", "stream_options"),
        ({"tools": {}}, 400, "invalid_request", "tools"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            400,
            "unsupported_parameter",
            "messages.0.content",
        ),
    ],
)
def test_what_the_router_cannot_do_is_refused(
    nothing_asked: Asked, body: dict[str, Any], status: int, code: str, param: str
) -> None:
    refused = nothing_asked.post(**body)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (status, code, param)
    assert error["type"] == "invalid_request_error" and error["message"]
    assert nothing_asked.events("RouteAsked") == []


@pytest.fixture(scope="module")
def nothing_asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with asked(tmp_path_factory.mktemp("refused"), Counted(RIGHT, name="small")) as service:
        yield service


def test_a_body_that_is_no_json_is_refused_in_openai_s_shape(nothing_asked: Asked) -> None:
    deep = b'{"model": "router", "messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    key = b'{"model": "router", "\\ud83d": 1, "messages": [{"role": "user", "content": "a"}]}'
    for content in (b"", b"{", b"[]", b"null", b'{"model": "\\ud83d", "messages": []}', b"\xff", deep, key):
        refused = httpx.post(
            f"{nothing_asked.url}/v1/chat/completions", content=content, headers={"Content-Type": "application/json"}
        )
        assert refused.status_code == 400 and refused.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "text",
    ["a \\ud83d b", "a\\u0000b", "\\u001b[31m <|im_end|> \\u202e", "word " * 40_000],
    ids=["half", "nul", "control", "long"],
)
def test_strange_words_are_a_question_like_any_other(tmp_path: Path, text: str) -> None:
    with asked(tmp_path, Counted(RIGHT, name="small")) as service:
        body = b'{"model": "router", "messages": [{"role": "user", "content": "%s"}]}' % text.encode()
        found = httpx.post(
            f"{service.url}/v1/chat/completions", content=body, headers={"Content-Type": "application/json"}, timeout=60
        )
        assert found.status_code == 200 and found.json()["choices"][0]["message"]["content"] == "408"
        with EventLog.open(tmp_path / "log.db", read_only=True) as log:
            assert log.verify().ok


def test_the_library_reads_our_errors(nothing_asked: Asked) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no model 'gpt-4o' here; there are router"):
        nothing_asked.client.chat.completions.create(model="gpt-4o", messages=ASK)
    with pytest.raises(openai.BadRequestError, match="one answer"):
        nothing_asked.client.chat.completions.create(model="router", messages=ASK, n=3)


def test_the_models_are_the_router_with_who_may_answer(nothing_asked: Asked) -> None:
    listed = nothing_asked.client.models.list().data
    assert [one.id for one in listed[:1]] == ["router"] and "router:math" in [one.id for one in listed]
    [candidate] = nothing_asked.client.models.retrieve("router:code").model_extra["agent0es"]["candidates"]
    assert (candidate["candidate"], candidate["model"], candidate["input_price"]) == ("local", "small", 0.0)
    with pytest.raises(openai.NotFoundError):
        nothing_asked.client.models.retrieve("small")


def test_what_changes_nothing_is_taken_and_said(tmp_path: Path) -> None:
    with asked(tmp_path, Counted(RIGHT, name="small")) as service:
        sent = {"temperature": 0.2, "max_tokens": 5, "user": "me", "stop": None, "seed": 3, "unheard_of": 1}
        assert service.post(**sent).json()["agent0es"]["ignored"] == ["max_tokens", "seed", "temperature", "unheard_of"]


@pytest.mark.parametrize(
    ("messages", "question"),
    [
        (ASK, QUESTION),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}], "a\nb"),
        ([{"role": "system", "content": ""}, *ASK], QUESTION),
        ([{"role": "system", "content": "Be brief."}, *ASK], f"Instructions: Be brief.\n\nQuestion: {QUESTION}"),
        (
            [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello!"}, *ASK],
            f"User: Hello\n\nAssistant: Hello!\n\nQuestion: {QUESTION}",
        ),
    ],
)
def test_a_conversation_is_one_question(tmp_path: Path, messages: list[Any], question: str) -> None:
    with asked(tmp_path, Counted(RIGHT, name="small")) as service:
        assert service.post(messages=messages).status_code == 200
        [one] = service.events("RouteAsked")
        assert one.posed.description == question and one.posed.domain == "math"


@pytest.mark.parametrize("stream", [False, True])
def test_a_budget_that_is_exhausted_is_not_tried_again(tmp_path: Path, stream: bool) -> None:
    local = Counted(RIGHT, name="small", down=DOWN)
    with asked(tmp_path, local, Counted(RIGHT, name="large"), "budget.per_day=0.000001") as service:
        client = openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=5)
        with pytest.raises(openai.APIError) as caught:
            list(client.chat.completions.create(model="router", messages=ASK, stream=stream))
        assert caught.value.code == "insufficient_quota" and caught.value.type == "insufficient_quota"
        assert "router.budget.per_day" in caught.value.message
        assert getattr(caught.value, "status_code", 402) == 402
        assert len(service.events("RouteAsked")) == 1
        assert service.events("CostReserved") == []


@pytest.mark.parametrize(
    ("down", "status", "code"),
    [(DOWN, 503, "unavailable"), (RequestRefused("it is too long"), 400, "invalid_question")],
)
def test_nobody_who_answers_is_an_error_that_says_why(tmp_path: Path, down: Exception, status: int, code: str) -> None:
    with asked(tmp_path, Counted(RIGHT, name="small", down=down)) as service:
        refused = service.post()
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (status, code) and f"local: {down}" in error["message"]
        [failed] = service.events("RouteFailed")
        assert refused.headers["x-agent0es-route"] == failed.route
        told = service.post(stream=True).text
        assert told.rstrip().splitlines()[-1].startswith('data: {"error": ') and "[DONE]" not in told


@pytest.mark.parametrize("stream", [False, True])
def test_a_fault_of_ours_is_told_without_its_words_and_logged_as_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, stream: bool
) -> None:
    def broken(*_: object) -> dict[str, Any]:
        raise ZeroDivisionError("words of a bug")

    monkeypatch.setattr("agent0es.service.openai_api.routed", broken)
    with asked(tmp_path, Counted(RIGHT, name="small")) as service:
        if stream:
            with httpx.stream(
                "POST",
                f"{service.url}/v1/chat/completions",
                json={"model": "router", "messages": ASK, "stream": True},
                timeout=60,
            ) as answer:
                text = ""
                with contextlib.suppress(httpx.RemoteProtocolError):  # cut off, as it must be: it has no end
                    for piece in answer.iter_text():
                        text += piece
            assert "[DONE]" not in text
            error = json.loads(text.strip().split("\n\n")[-1].removeprefix("data: "))["error"]
        else:
            answer = service.post()
            assert answer.status_code == 500
            text, error = answer.text, answer.json()["error"]
    assert (error["type"], error["code"]) == ("server_error", "fault")
    assert "words of a bug" not in text
    assert [r.exc_info[0] for r in caplog.records if r.name == "agent0es.service" and r.levelname == "ERROR"] == [
        ZeroDivisionError
    ]


def test_who_is_gone_has_started_something_that_ends_well(tmp_path: Path) -> None:
    local = Counted(*UNSURE, name="small", delay_seconds=0.05)
    with asked(tmp_path, local, Counted(RIGHT, name="large", delay_seconds=0.3)) as service:
        for stream in (False, True):
            with pytest.raises(httpx.TimeoutException):
                httpx.post(
                    f"{service.url}/v1/chat/completions",
                    json={"model": "router", "messages": ASK, "stream": stream},
                    timeout=0.2,
                )
        until = time.monotonic() + 20
        while not service.events("RouteAnswered") and time.monotonic() < until:
            time.sleep(0.05)
        found = service.post().json()
        first, *_ = service.events("RouteAnswered")
        assert found["agent0es"]["cached"] == first.route  # what was paid once is not paid again
        reserved, settled = service.events("CostReserved"), service.events("CostSettled")
        assert len(reserved) == len(settled) == 2 and all(one.cost_usd for one in settled)


async def test_fifty_at_once_never_pass_the_budget(tmp_path: Path) -> None:
    limit = 0.05
    cloud = Counted(RIGHT, name="large", delay_seconds=0.01)
    with asked(tmp_path, Counted(RIGHT, name="small", down=DOWN), cloud, f"budget.per_day={limit}") as service:
        client = openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=2)

        async def one(number: int) -> str:
            try:
                asked = await client.chat.completions.create(
                    model="router", messages=[{"role": "user", "content": f"{QUESTION} ({number})"}]
                )
                return asked.choices[0].message.content or ""
            except openai.APIStatusError as error:
                return f"{error.status_code} {error.code}"

        found = await asyncio.gather(*(one(number) for number in range(50)))
        state, most = Spent(), 0.0
        for event in service.events("CostReserved", "CostSettled"):
            state = after(state, event)
            most = max(most, state.total)
        assert 0 < most <= limit + 1e-9 and state.open == {}
        assert set(found) == {"408", "402 insufficient_quota"}
        assert len(service.events("RouteAsked")) == 50


def test_the_token_is_openai_s_key(tmp_path: Path) -> None:
    make: Callable[[EventLog], Any] = lambda log: router(tmp_path, log, Counted(RIGHT, name="small"))  # noqa: E731
    with answering(tmp_path, make, access=Access("correct-horse-battery")) as url:
        with pytest.raises(openai.AuthenticationError, match="wants its token"):
            openai.OpenAI(base_url=f"{url}/v1", api_key="wrong").models.list()
        known = openai.OpenAI(base_url=f"{url}/v1", api_key="correct-horse-battery")
        assert known.chat.completions.create(model="router", messages=ASK).choices[0].message.content == "408"


def test_without_the_word_router_nobody_is_asked(tmp_path: Path) -> None:
    with answering(tmp_path) as url:
        refused = httpx.post(f"{url}/v1/chat/completions", json={"model": "router", "messages": ASK})
        assert refused.status_code == 404 and "--router" in refused.json()["error"]["message"]


def test_a_service_that_is_told_to_stop_answers_what_it_was_asked(tmp_path: Path) -> None:
    script = ["--set", "router.local.backend=scripted", "--set", "router.local.name=tests.support.world:respond"]
    slow = ["--set", "router.local.options={delay_seconds: 0.5}"]
    with served(tmp_path / "store", "--router", *script, *slow) as service:
        with httpx.stream(
            "POST",
            f"{service.url}/v1/chat/completions",
            json={"model": "router", "messages": ASK, "stream": True},
            timeout=60,
        ) as stream:
            lines = stream.iter_lines()
            next(lines)
            service.process.terminate()
            rest = [line for line in lines if line]
        assert rest[-1] == "data: [DONE]"
        assert service.stop()[0] == 0
    with EventLog.open(tmp_path / "store" / "log.db", read_only=True) as log:
        assert [one.event.type for one in log.read(run="routes")][-1] == "RouteAnswered"
        assert not any(isinstance(one.event, ev.RouteFailed) for one in log.read(run="routes"))


HOSTILE = "What is 12 * 34? \ud800 \0 <script>alert(1)</script> \u202e {{7*7}} \r\ndata: x"


@pytest.mark.parametrize("stream", [False, True])
def test_half_a_character_and_worse_in_a_question_is_answered_and_can_be_read_everywhere(
    tmp_path: Path, stream: bool
) -> None:
    """A language model's client may send any JSON; in it `\\ud800` is half of a character, which no file can hold."""
    body = {"model": "router", "messages": [{"role": "user", "content": HOSTILE}], "stream": stream}
    with asked(tmp_path, Counted(RIGHT, name="small")) as service:
        sent = {"content": json.dumps(body), "headers": {"Content-Type": "application/json"}, "timeout": 60}
        answer = httpx.post(f"{service.url}/v1/chat/completions", **sent)
        assert answer.status_code == 200, answer.text
        found = chunks(answer)[-1] if stream else answer.json()
        route = found["agent0es"]["route"]
        [event] = service.events("RouteAsked")
        assert event.posed.description == HOSTILE.replace("\ud800", "\ufffd").replace("\0", "\ufffd")
        with httpx.Client(base_url=service.url, timeout=60) as client:
            for path in ("/router", "/runs", "/audit", "/sql?q=FROM+routes", "/sql/export?q=FROM+routes", "/metrics"):
                read = client.get(path)
                assert read.status_code == 200
                assert "<script>alert" not in read.text or not read.headers["content-type"].startswith("text/html")
            for path in ("routes", f"routes/{route}", "events?run=routes", "runs"):
                assert client.get(f"/api/v1/{path}").status_code == 200
            events = client.get("/api/v1/events?run=routes").json()["events"]
        assert any(one["type"] == "RouteAsked" for one in events)
    report = subprocess.run(
        [sys.executable, "-m", "agent0es", "route", "report", "--store", str(tmp_path)],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert report.returncode == 0, report.stderr
