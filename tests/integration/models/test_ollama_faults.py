"""What goes wrong between the backend `ollama` and its server: nothing is lost or doubled, and the log can tell."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent0es.errors import ModelNotFound
from agent0es.models.base import Completion, GenerationFailed, ModelUnavailable, RequestRefused, Weights
from agent0es.models.ollama import OllamaBackend
from agent0es.testing.models import ask
from tests.support import http_server as raw
from tests.support.engines import tiny_weights
from tests.support.http_server import Fault

pytest.importorskip("xllamacpp", reason="the extra dev has it")
from tests.support.ollama_server import OllamaServer

CHAT = "/api/chat"
NO_MEMORY = "model requires more system memory (9.0 GiB) than is available (3.1 GiB)"
RUNNER = "model runner has unexpectedly stopped, this may be due to resource limitations"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return tiny_weights(tmp_path_factory.mktemp("tiny"), "qwen2", words=True)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, tiny: Weights) -> Iterator[OllamaServer]:
    with OllamaServer(tmp_path_factory.mktemp("ollama")) as server:
        server.library.add("tiny:1b", tiny.path)
        yield server


@pytest.fixture
def server(running: OllamaServer) -> OllamaServer:
    running.requests.clear()
    return running


def answered(server: OllamaServer, *faults: Fault, **options: Any) -> Completion:
    """The answer of a backend that has known its server, which then fails."""

    async def once() -> Completion:
        backend = OllamaBackend.create("tiny:1b", base_url=server.url, **{"tries": 3, **options})
        assert backend.name
        server.fail(*faults, on=CHAT)
        try:
            [completion] = await backend.generate([ask(max_tokens=6)])
        finally:
            await backend.close()
        return completion

    return asyncio.run(once())


SLOW = "no answer within 0.5"
PASSING: list[tuple[Fault, str]] = [
    (raw.RESET, "the connection ended within the answer"),
    (raw.ENDED, "the answer broke off before its end"),
    (raw.TRUNCATED, "no JSON in UTF-8"),
    (raw.NOT_UTF8, "no JSON in UTF-8"),
    (raw.WRONG_TYPE, "text/html came where application/x-ndjson was asked for"),
    (raw.HUGE, "a line of more than 8388608 bytes"),
    (raw.silent(5), SLOW),
    (
        raw.line_in_stream(b'{"error":"the runner broke: EOF"}\n'),
        "the runner broke: EOF",
    ),
    (raw.line_in_stream(b'{"message":{"content":7}}\n'), "not what Ollama answers (chunk: message.content)"),
    (raw.line_in_stream(b'["a"]\n'), "not what Ollama answers"),
    (raw.status(503, {"error": "server busy, please try again.  maximum pending requests exceeded"}), "server busy"),
    (raw.status(429, {"error": "too many requests"}, retry_after="0"), "too many requests"),
    (raw.status(500, {"error": RUNNER}), "model runner has unexpectedly stopped"),
    (raw.status(502, {"error": "upstream"}), "upstream"),
]


@pytest.mark.parametrize(("fault", "told"), PASSING, ids=[f"{fault.name}: {told[:20]}" for fault, told in PASSING])
def test_what_may_pass_is_asked_again_and_told(server: OllamaServer, fault: Fault, told: str) -> None:
    free = answered(server)
    soon = {"first_token_seconds": 0.5} if told == SLOW else {}
    completion = answered(server, fault, **soon)
    assert (completion.text, completion.usage) == (free.text, free.usage), "once, and whole"
    [tried] = completion.tries
    assert told in tried.fault and tried.what == "POST /api/chat"


STOPPING: list[tuple[Fault, type[Exception], str]] = [
    (raw.status(400, {"error": '"tiny:1b" does not support chat'}), RequestRefused, '"tiny:1b" does not support chat'),
    (
        raw.status(401, {"error": "unauthorized"}),
        ModelUnavailable,
        "unauthorized; set models.<role>.api_key_env",
    ),
    (raw.status(402, {"error": "out of credits"}), ModelUnavailable, "add to the budget of that account"),
    (raw.status(404, {"error": "model 'tiny:1b' not found"}), ModelNotFound, "fetch it with `ollama pull tiny:1b`"),
    (raw.status(500, {"error": NO_MEMORY}), ModelUnavailable, "choose a smaller model or quantization, or set models"),
    (raw.line_in_stream(f'{{"error":"{NO_MEMORY}"}}\n'.encode()), ModelUnavailable, "choose a smaller model"),
]


@pytest.mark.parametrize(("fault", "kind", "told"), STOPPING, ids=[told[:20] for *_, told in STOPPING])
def test_what_a_user_must_mend_is_told_at_once(
    tmp_path: Path, tiny: Weights, fault: Fault, kind: type[Exception], told: str
) -> None:
    with OllamaServer(tmp_path / "ollama") as server:  # whose budget may end, for all who ask it
        server.library.add("tiny:1b", tiny.path)
        with pytest.raises(kind) as failed:
            answered(server, fault)
        assert told in str(failed.value) and "\n" not in str(failed.value)
        assert len(server.asked(CHAT)) == 3, "it is asked once, after the two questions at the beginning"


def test_what_never_ends_is_given_up(server: OllamaServer) -> None:
    with pytest.raises(GenerationFailed, match=r"no answer within 0.5.* \(tried 2 times\)"):
        answered(server, *[raw.loris(0.3)] * 2, tries=2, first_token_seconds=0.5, whole_seconds=0.5)
    busy = raw.status(503, {"error": "server busy"})
    with pytest.raises(GenerationFailed, match=r"server busy \(tried 2 times\); let less be asked at once"):
        answered(server, busy, busy, tries=2)


def test_a_server_that_is_restarted_is_waited_for(server: OllamaServer) -> None:
    async def asked() -> Completion:
        backend = OllamaBackend.create("tiny:1b", base_url=server.url)
        assert backend.name
        server.refuse_for(0.3)
        [completion] = await backend.generate([ask(max_tokens=6)])
        await backend.close()
        return completion

    completion = asyncio.run(asked())
    assert completion.text and "no connection" in completion.tries[0].fault


def test_more_than_the_queue_holds_is_asked_again(server: OllamaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "max_queue", 2)

    async def asked() -> list[Completion]:
        backend = OllamaBackend.create("tiny:1b", base_url=server.url)
        completions = await backend.generate([ask(f"Say {n}.", max_tokens=20) for n in range(8)])
        await backend.close()
        return completions

    completions = asyncio.run(asked())
    assert all(completion.text for completion in completions)
    assert any("server busy" in one.fault for completion in completions for one in completion.tries)


def test_a_stream_that_breaks_off_says_so(server: OllamaServer) -> None:
    async def streamed(fault: Fault) -> str:
        backend = OllamaBackend.create("tiny:1b", base_url=server.url)
        assert backend.name
        server.fail(fault, on=CHAT)
        try:
            return "".join([piece async for piece in backend.stream(ask())])
        finally:
            await backend.close()

    for fault, told in (
        (raw.ENDED, "broke off before its end"),
        (raw.RESET, "the connection ended within the answer"),
        (raw.line_in_stream(b'{"error":"EOF"}\n'), "EOF"),
    ):
        with pytest.raises(GenerationFailed, match=told):
            asyncio.run(streamed(fault))
