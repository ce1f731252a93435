"""What is special about what goes wrong with an Ollama server; the rest is in the table of `test_server_faults.py`."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent0es.models.base import Completion, GenerationFailed, ModelUnavailable, RequestRefused
from agent0es.models.ollama import OllamaBackend
from agent0es.testing.models import ask
from tests.support import http_server as raw
from tests.support.fault_peers import PEERS, speak
from tests.support.http_server import Fault

if TYPE_CHECKING:
    from tests.support.ollama_server import OllamaServer

CHAT = "/api/chat"
NO_MEMORY = "model requires more system memory (9.0 GiB) than is available (3.1 GiB)"


@pytest.fixture
def server(tmp_path: Path) -> "Iterator[OllamaServer]":
    with PEERS["ollama"].open(tmp_path, speak) as there:
        yield there.server  # type: ignore[misc]


def answered(server: "OllamaServer", *faults: Fault, **options: Any) -> Completion:
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


@pytest.mark.parametrize("line", [b'{"message":{"content":7}}\n', b'["a"]\n'])
def test_another_protocol_is_asked_again_and_told(server: "OllamaServer", line: bytes) -> None:
    [tried] = answered(server, raw.line_in_stream(line)).tries
    assert "not what Ollama answers (chunk" in tried.fault and tried.what == "POST /api/chat"


STOPPING: list[tuple[Fault, type[Exception], str]] = [
    (raw.status(400, {"error": '"tiny:1b" does not support chat'}), RequestRefused, '"tiny:1b" does not support chat'),
    (raw.status(500, {"error": NO_MEMORY}), ModelUnavailable, "choose a smaller model or quantization, or set models"),
    (raw.line_in_stream(f'{{"error":"{NO_MEMORY}"}}\n'.encode()), ModelUnavailable, "choose a smaller model"),
]


@pytest.mark.parametrize(("fault", "kind", "told"), STOPPING, ids=[told[:20] for *_, told in STOPPING])
def test_what_a_user_must_mend_is_told_at_once(
    server: "OllamaServer", fault: Fault, kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind) as failed:
        answered(server, fault)
    assert told in str(failed.value) and "\n" not in str(failed.value)
    assert len(server.asked(CHAT)) == 3, "it is asked once, after the two questions at the beginning"


def test_a_queue_that_stays_full_is_given_up_with_what_to_do(server: "OllamaServer") -> None:
    busy = raw.status(503, {"error": "server busy"})
    with pytest.raises(GenerationFailed, match=r"server busy \(tried 2 times\); let less be asked at once"):
        answered(server, busy, busy, tries=2)


def test_more_than_the_queue_holds_is_asked_again(server: "OllamaServer", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "max_queue", 2)

    async def asked() -> list[Completion]:
        backend = OllamaBackend.create("tiny:1b", base_url=server.url)
        completions = await backend.generate([ask(f"Say {n}.", max_tokens=20) for n in range(8)])
        await backend.close()
        return completions

    completions = asyncio.run(asked())
    assert all(completion.text for completion in completions)
    assert any("server busy" in one.fault for completion in completions for one in completion.tries)


def test_a_stream_that_breaks_off_says_so(server: "OllamaServer") -> None:
    async def streamed(fault: Fault) -> str:
        backend = OllamaBackend.create("tiny:1b", base_url=server.url)
        assert backend.name
        server.fail(fault, on=CHAT)
        try:
            return "".join([piece async for piece in backend.stream(ask())])
        finally:
            await backend.close()

    for fault, told in (
        (raw.ENDED, "ended without its last line"),
        (raw.RESET, "the connection ended within the answer"),
        (raw.line_in_stream(b'{"error":"EOF"}\n'), "EOF"),
    ):
        with pytest.raises(GenerationFailed, match=told):
            asyncio.run(streamed(fault))
