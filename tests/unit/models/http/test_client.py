"""The client against a server that breaks: what is tried again, what is told, and that no secret gets out."""

import asyncio
import base64
import json
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from agent0es.errors import ConfigurationError
from agent0es.models.base import GenerationFailed, ModelUnavailable, RequestRefused
from agent0es.models.http import HttpClient, HttpOptions, Key, options_of
from agent0es.models.http.asking import Reply
from tests.support import http_server as raw
from tests.support.http_server import Answer, Fault, HttpServer, Request, events, json_answer

WORDS = ["Hello", ", ", "world", "!"]
SECRET = "sk-planted/0123 456789+"


async def answer(request: Request) -> Answer:
    """A stream of words, or one value."""
    if "/stream" in request.path:
        return events([{"text": word} for word in WORDS], pause=0.005)
    return json_answer({"text": "".join(WORDS)})


async def joined(values: AsyncIterator[Any]) -> str:
    return "".join([value["text"] async for value in values])


class Paused:
    """Waits without time passing, and remembers how long."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(round(seconds, 3))
        await asyncio.sleep(0)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer(answer) as server:
        yield server


@pytest.fixture
def paused() -> Paused:
    return Paused()


def client(url: str, paused: Paused | None = None, *, key: Key = Key(None), **options: Any) -> HttpClient:  # noqa: B008
    return HttpClient("test", url, key, HttpOptions(**options), sleep=paused or Paused())


def ask(client: HttpClient, form: Any = "sse", path: str = "/stream") -> Reply[str]:
    async def once() -> Reply[str]:
        try:
            return await client.ask("POST", path, {"n": 1}, joined, form=form)
        finally:
            await client.close()

    return asyncio.run(once())


SLOW = "no answer within 0.3"
PASSING: list[tuple[Fault, str, int | None]] = [
    (raw.RESET, "the connection ended within the answer", None),
    (raw.ENDED, "the answer ended without [DONE]", None),
    (raw.TRUNCATED, "no JSON in UTF-8", None),
    (raw.NOT_UTF8, "no JSON in UTF-8", None),
    (raw.WRONG_TYPE, "text/html came where text/event-stream was asked for", 200),
    (raw.HUGE, "a line of more than 8388608 bytes", None),
    (raw.loris(), SLOW, None),
    (raw.silent(5), SLOW, None),
    (raw.status(500, {"error": "the runner ended"}), "the runner ended", 500),
    (raw.status(503, {"error": "server busy, please try again"}), "server busy", 503),
    (raw.status(429, {"error": "slow down"}, retry_after="3"), "slow down", 429),
]


@pytest.mark.parametrize(("fault", "told", "status"), PASSING, ids=[fault.name for fault, _, _ in PASSING])
def test_what_passes_is_tried_again_and_told(
    server: HttpServer, paused: Paused, fault: Fault, told: str, status: int | None
) -> None:
    server.fail(fault, times=2)
    soon = {"first_token_seconds": 0.3, "whole_seconds": 2} if told == SLOW else {}
    reply = ask(client(server.url, paused, **soon))
    assert reply.value == "Hello, world!", "once, and whole"
    assert len(server.requests) == 3
    assert [one.waited for one in reply.tries] == paused.seconds
    for one in reply.tries:
        assert told in one.fault and one.what == "POST /stream" and one.status == status


def test_a_server_that_is_away_for_a_while_is_waited_for(server: HttpServer) -> None:
    made = HttpClient("test", server.url, Key(None), HttpOptions())
    server.refuse_for(0.3)
    reply = ask(made)
    assert reply.value == "Hello, world!"
    assert {one.fault for one in reply.tries} == {"no connection (Connection refused)"}


def test_pauses_grow_and_the_server_may_ask_for_longer_ones(server: HttpServer, paused: Paused) -> None:
    server.fail(raw.status(500, {}), times=5)
    assert len(ask(client(server.url, paused)).tries) == 5
    for seconds, least in zip(paused.seconds, (0.5, 1, 2, 4, 8), strict=True):
        assert least <= seconds <= least + 0.5
    paused.seconds.clear()
    server.fail(raw.status(503, {}, retry_after="17"))
    ask(client(server.url, paused))
    assert paused.seconds == [17.0]


def test_what_stays_wrong_is_given_up_with_its_tries(server: HttpServer, paused: Paused) -> None:
    server.fail(raw.status(500, {"error": "the runner ended"}), times=3)
    with pytest.raises(GenerationFailed) as failed:
        ask(client(server.url, paused, tries=3))
    assert str(failed.value) == f"test at {server.url}: HTTP 500: the runner ended (tried 3 times)"
    tries = json.loads(str(failed.value.measured["tries"]))
    assert [one["status"] for one in tries] == [500, 500, 500] and tries[-1]["waited"] == 0


def test_a_server_that_hangs_is_given_up_earlier(server: HttpServer, paused: Paused) -> None:
    server.fail(raw.silent(5), times=8)
    with pytest.raises(GenerationFailed, match=r"no answer within 0.1.* \(tried 3 times\)"):
        ask(client(server.url, paused, first_token_seconds=0.1))


def test_nothing_is_sent_to_a_server_that_fails_again_and_again(server: HttpServer, paused: Paused) -> None:
    server.fail(raw.status(500, {"error": "broken"}), times=100)
    one, other = client(server.url, paused, tries=2), client(server.url, paused, tries=2)
    for made in (one, other):
        with pytest.raises(GenerationFailed):
            ask(made)
    with pytest.raises(
        ModelUnavailable, match=r"HTTP 500: broken; it failed again and again.*see the server's own log"
    ):
        ask(one)
    sent = len(server.requests)
    for made in (one, other):
        with pytest.raises(ModelUnavailable, match="broken"):
            ask(made)
    assert len(server.requests) == sent == 6


STOPS: list[tuple[Fault, type[Exception], str]] = [
    (raw.status(401, {"error": "no"}), ModelUnavailable, "HTTP 401: no; set models.<role>.api_key_env"),
    (raw.status(402, {"error": "no"}), ModelUnavailable, "add to the budget of that account"),
    (raw.status(404, {"error": "model 'x' not found"}), ModelUnavailable, "mend models.<role>.name"),
    (raw.status(400, {"error": "the prompt is too long"}), RequestRefused, "HTTP 400: the prompt is too long"),
    (raw.status(429, {"error": {"code": "insufficient_quota", "message": "no"}}), ModelUnavailable, "budget"),
    (raw.status(307, {}, location="https://evil.example"), ModelUnavailable, "sends to another address"),
]


@pytest.mark.parametrize(
    ("fault", "error", "told"), STOPS, ids=[f"{fault.name} {told[:9]}" for fault, _, told in STOPS]
)
def test_what_does_not_pass_is_told_at_once(
    server: HttpServer, paused: Paused, fault: Fault, error: type[Exception], told: str
) -> None:
    server.fail(fault)
    with pytest.raises(error) as failed:
        ask(client(server.url, paused))
    assert told in str(failed.value) and "\n" not in str(failed.value)
    assert len(server.requests) == 1 and not paused.seconds


def test_a_budget_that_is_gone_stops_all_who_ask_that_server(server: HttpServer) -> None:
    one, other = client(server.url), client(server.url)
    server.fail(raw.status(402, {"error": "Insufficient credits"}))
    for made in (one, other, one):
        with pytest.raises(ModelUnavailable, match="Insufficient credits; nothing is sent to it any more"):
            ask(made)
    assert len(server.requests) == 1


def test_a_body_without_end_is_not_read_to_its_end(server: HttpServer, paused: Paused) -> None:
    server.fail(raw.HUGE)
    made = client(server.url, paused, tries=1)
    with pytest.raises(GenerationFailed, match="more than"):
        ask(made)
    server.fail(Fault("an error of 100 MB", instead=_long_error))
    with pytest.raises(GenerationFailed, match="HTTP 500"):
        ask(made)
    asyncio.run(until(lambda: all(request.ended != "open" for request in server.requests)))
    assert [request.ended for request in server.requests] == ["left", "left"]
    assert all(request.sent < 50 * 2**20 for request in server.requests), "what was read, and what waits in buffers"


async def _long_error(request: Request) -> Answer:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(1600):
            yield b"e" * 65536

    return Answer(pieces(), 500)


def test_cancelling_closes_the_connection(server: HttpServer) -> None:
    server.fail(raw.loris(0.01))

    async def cancelled() -> None:
        made = client(server.url)
        task = asyncio.create_task(made.ask("POST", "/stream", {}, joined, form="sse"))
        await until(lambda: server.requests)
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: server.requests[0].ended != "open")
        await made.close()

    asyncio.run(cancelled())
    assert server.requests[0].ended == "left"


async def until(happened: Callable[[], object]) -> None:
    for _ in range(1000):
        if happened():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never happened")


def test_a_stream_is_read_as_it_comes_and_not_asked_for_twice(server: HttpServer) -> None:
    server.fail(raw.RESET)

    async def read() -> list[str]:
        made, got = client(server.url), []
        with pytest.raises(GenerationFailed, match="the connection ended"):
            async for text in made.stream("/stream", {}, lambda value: value["text"], form="sse"):
                got.append(text)
        await made.close()
        return got

    assert asyncio.run(read()) == ["Hello"]
    assert len(server.requests) == 1


def test_no_more_are_with_the_server_than_may(server: HttpServer) -> None:
    most = 0

    async def watch(request: Request) -> Answer:
        nonlocal most
        most = max(most, sum(one.ended == "open" for one in server.requests))
        await asyncio.sleep(0.01)
        return await answer(request)

    server._answer = watch

    async def many() -> None:
        made = client(server.url, at_once=3)
        await asyncio.gather(*(made.post("/value", {}) for _ in range(12)))
        await made.close()

    asyncio.run(many())
    assert most == 3


def test_requests_are_spaced_and_tokens_given_back(server: HttpServer, paused: Paused) -> None:
    made = client(server.url, paused, requests_per_minute=60)
    for _ in range(3):
        ask(made)
    assert [round(seconds) for seconds in paused.seconds] == [1, 2]
    paused.seconds.clear()
    made = client(server.url, paused, tokens_per_minute=600)

    async def thrice() -> None:
        for _ in range(3):
            await made.ask("POST", "/stream", {}, joined, form="sse", tokens=500, used=lambda text: 10.0)
        await made.close()

    asyncio.run(thrice())
    assert [round(seconds) for seconds in paused.seconds] == [1, 2], "ten of 500 tokens were used"


def test_a_stream_keeps_to_the_limits_too(server: HttpServer, paused: Paused) -> None:
    async def streamed(made: HttpClient, times: int, **counted: Any) -> None:
        for _ in range(times):
            texts = [text async for text in made.stream("/stream", {}, lambda value: value, form="sse", **counted)]
            assert len(texts) == len(WORDS)
        await made.close()

    asyncio.run(streamed(client(server.url, paused, requests_per_minute=60), 3))
    assert [round(seconds) for seconds in paused.seconds] == [1, 2]
    paused.seconds.clear()
    asyncio.run(streamed(client(server.url, paused, tokens_per_minute=600), 3, tokens=500, used=lambda: 10.0))
    assert [round(seconds) for seconds in paused.seconds] == [1, 2], "ten of 500 tokens were used"


def test_who_leaves_a_stream_has_used_its_tokens(server: HttpServer, paused: Paused) -> None:
    made = client(server.url, paused, tokens_per_minute=600)

    async def left() -> None:
        for _ in range(2):
            stream = made.stream("/stream", {}, lambda value: value, form="sse", tokens=20, used=lambda: 1.0)
            assert await anext(stream)
            await stream.aclose()
        await made.close()

    asyncio.run(left())
    assert [round(seconds) for seconds in paused.seconds] == [2]


LOADING = raw.status(503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}})


def test_who_only_looks_waits_for_a_server_that_loads_its_model(server: HttpServer, paused: Paused) -> None:
    made = client(server.url, paused, tries=4)

    async def look() -> Any:
        try:
            return await made.get("/value", tries=1)
        finally:
            await made.close()

    server.fail(LOADING, times=3)
    assert asyncio.run(look()) == {"text": "Hello, world!"} and len(paused.seconds) == 3
    server.fail(LOADING, times=4)
    with pytest.raises(GenerationFailed, match=r"Loading model \(tried 4 times\); it is loading its model: wait until"):
        asyncio.run(look())
    server.requests.clear()
    server.fail(raw.status(503, {"error": "busy"}), times=4)
    with pytest.raises(GenerationFailed, match="HTTP 503: busy; see the server's own log"):
        asyncio.run(look())
    assert len(server.requests) == 1


def test_one_client_serves_one_loop_after_another(server: HttpServer) -> None:
    made = client(server.url)

    async def once() -> Any:
        return await made.post("/value", {})

    assert asyncio.run(once()) == asyncio.run(once()) == {"text": "Hello, world!"}


# Secrets


async def echo(request: Request) -> Answer:
    """A server that repeats all that it was sent, in an error of the status that the path names."""
    said = f"{request.path} {request.headers} {request.headers.get('authorization', '')}"
    return json_answer({"error": {"message": said[-400:], "code": said}}, int(request.path.split("?")[0][-3:]))


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 429, 500])
@pytest.mark.parametrize("place", ["variable", "file", "query", "password"])
def test_no_error_holds_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str, status: int) -> None:
    (tmp_path / "key").write_text(f"{SECRET}\n")
    monkeypatch.setenv(
        *(("PLANTED_KEY", SECRET) if place == "variable" else ("PLANTED_KEY_FILE", str(tmp_path / "key")))
    )
    with HttpServer(echo) as server:
        url = {
            "query": f"{server.url}?api_key={quote(SECRET)}",
            "password": server.url.replace("//", f"//me:{quote(SECRET, safe='')}@"),
        }.get(place, server.url)
        made = client(url, tries=2, key=Key("PLANTED_KEY" if place in ("variable", "file") else None))
        with pytest.raises((GenerationFailed, ModelUnavailable, RequestRefused)) as failed:
            ask(made, path=f"/{status}")
        sent = f"{server.requests[0].path} {server.requests[0].headers}"
        assert SECRET in sent or quote(SECRET) in sent or base64.b64encode(f"me:{SECRET}".encode()).decode() in sent
    whole = (
        "".join(traceback.format_exception(failed.value)) + str(failed.value.measured) + repr(vars(made)) + repr(made)
    )
    for form in (
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        "0123",
        base64.b64encode(f"me:{SECRET}".encode()).decode(),
    ):
        if not (place in ("query", "password") and form in repr(vars(made))):
            assert form not in whole


def test_a_key_that_is_cut_with_a_long_message_is_not_half_shown(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED_KEY", SECRET)
    made = client(server.url, key=Key("PLANTED_KEY"), tries=1)
    for before in (*range(150, 210, 3), 3980, 3990):
        server.fail(raw.status(400, {"error": "x" * before + SECRET}))
        with pytest.raises(RequestRefused) as failed:
            ask(made)
        assert SECRET[:6] not in str(failed.value)


def test_a_key_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"environment variable NO_KEY is not set, which .*NO_KEY_FILE$"):
        client("http://localhost:1", key=Key("NO_KEY"))
    for odd in ("two\nlines", "\x00", "ключ", "a" * 20_000):
        if "\x00" not in odd:
            monkeypatch.setenv("NO_KEY", odd)
            with pytest.raises(ConfigurationError, match="something that can't be a key") as failed:
                client("http://localhost:1", key=Key("NO_KEY"))
            assert odd not in str(failed.value)
    monkeypatch.delenv("NO_KEY")
    monkeypatch.setenv("NO_KEY_FILE", str(tmp_path / "nothing"))
    with pytest.raises(ConfigurationError, match="NO_KEY_FILE names can't be read"):
        client("http://localhost:1", key=Key("NO_KEY"))


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://host", "http://", "http://host:port", "http://a:99999"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not an address such as"):
        client(url)


def test_options_that_are_unknown_or_out_of_range_are_refused_in_one_line() -> None:
    for given, told in (
        ({"trys": 3}, "test: unknown option trys; there are: connect_seconds, "),
        ({"tries": 0}, "test: tries: Input should be greater than or equal to 1"),
        ({"whole_seconds": "soon"}, "test: whole_seconds: Input should be a valid number"),
    ):
        with pytest.raises(ConfigurationError) as failed:
            options_of(HttpOptions, "test", given)
        assert str(failed.value).startswith(told) and "\n" not in str(failed.value)
    assert options_of(HttpOptions, "test", {"tries": 3}).tries == 3
