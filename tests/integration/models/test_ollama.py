"""The backend `ollama` on a faithful server: its API in front of a real llama-server with a tiny model."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent0es.errors import ConfigurationError, ModelNotFound
from agent0es.models.artifacts import MERGED, Artifacts
from agent0es.models.base import Deployment, Message, ModelUnavailable, RequestRefused, Weights, WrongWeights
from agent0es.models.factory import create_backend, library_of
from agent0es.models.library import PullProgress
from agent0es.models.ollama import OllamaBackend
from agent0es.testing.models import BEGUN, ask
from tests.integration.training.tiny_model import TEMPLATES, write_tiny_gguf
from tests.support.engines import tiny_weights
from tests.support.http_server import Answer, Fault, Request, json_answer, status

pytest.importorskip("xllamacpp", reason="the extra dev has it")
from tests.support.ollama_models import CHATML, CHATML_STOP
from tests.support.ollama_server import OllamaServer

WITH_A_SYSTEM = "{{ '<|im_start|>system\nBe good.<|im_end|>\n' }}" + TEMPLATES["llama"]
SERVED = "agent0es/student-1:{}"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return tiny_weights(tmp_path_factory.mktemp("tiny"), "qwen2", words=True)


@pytest.fixture
def server(tmp_path: Path, tiny: Weights) -> Iterator[OllamaServer]:
    with OllamaServer(tmp_path / "ollama") as running:
        running.library.add("tiny:1b", tiny.path)
        yield running


def backend_on(server: OllamaServer, name: str = "tiny:1b", **options: Any) -> OllamaBackend:
    return OllamaBackend.create(name, base_url=server.url, **{"tries": 2, **options})


def trained(folder: Path, base: Weights) -> Deployment:
    shutil.copy(base.path, folder / MERGED)
    return Deployment("student-1", Artifacts(folder, {MERGED: base.sha256}))


def instead(answer: Answer | bytes) -> Fault:
    """An answer in place of the model's own; bytes are lines of a stream."""
    lines = {"content-type": "application/x-ndjson"}

    async def other(request: Request) -> Answer:
        return Answer(answer, headers=lines) if isinstance(answer, bytes) else answer

    return Fault("another answer", other)


async def test_what_it_can_do_is_what_the_server_says(server: OllamaServer) -> None:
    backend = backend_on(server)
    assert (await backend.health()).detail == "tiny:1b:Q8_0 on Ollama 0.34.2"
    assert not server.asked("/api/chat"), "nothing is loaded for it"
    able = backend.capabilities
    assert (able.context, able.prefill, able.logprobs, able.embeddings) == (512, True, True, False)
    asked = len(server.requests)
    assert backend.capabilities is able and backend.name == "tiny:1b:Q8_0"
    assert len(server.requests) == asked, "it is asked once"
    await backend.close()


async def test_a_template_that_closes_each_turn_is_found_out(server: OllamaServer, tiny: Weights) -> None:
    server.library.add("chatml:1b", tiny.path, template=CHATML, parameters={"stop": CHATML_STOP})
    backend = backend_on(server, "chatml:1b")
    [completion] = await backend.generate([ask(prefill=BEGUN, stop=("x",))])
    assert not backend.capabilities.prefill and completion.left_out == ("prefill",)
    body = server.asked("/api/chat")[-1].json
    assert [message["role"] for message in body["messages"]] == ["user"]
    assert body["options"]["stop"] == ["x", *CHATML_STOP], "without them it would write on, in the user's name"
    await backend.close()


async def test_a_model_that_says_the_same_for_ever_is_heard(server: OllamaServer, tiny: Weights) -> None:
    """Ollama breaks it off without a last line, where it renders the prompt itself."""
    server.library.add("chatml:1b", tiny.path, template=CHATML)
    backend = backend_on(server, "chatml:1b")
    [completion] = await backend.generate([ask(max_tokens=200)])
    assert completion.finish_reason == "length" and not completion.tries
    assert 30 <= completion.usage.written < 100
    assert "".join([piece async for piece in backend.stream(ask(max_tokens=200))]) == completion.text
    await backend.close()


async def test_a_template_that_takes_no_begun_turn_is_found_out(server: OllamaServer) -> None:
    for code in (400, 500):
        rendered = json_answer({"message": {"content": ""}, "_debug_info": {"rendered_template": "x"}})
        server.fail(instead(rendered), status(code, {"error": "no turn can be begun"}), on="/api/chat")
        assert not backend_on(server).capabilities.prefill
    server.fail(status(503, {"error": "server busy"}), on="/api/chat")
    with pytest.raises(ModelUnavailable, match="server busy"):
        _ = backend_on(server).capabilities


async def test_too_long_a_prompt_is_refused_and_not_cut(server: OllamaServer) -> None:
    backend = backend_on(server)
    with pytest.raises(RequestRefused, match=r"exceeds the available context size .*; set models.*num_ctx"):
        await backend.generate([ask("word " * 600)])
    assert len(server.asked("/api/chat")) == 3, "it is not sent twice"
    await backend.close()


async def test_a_text_that_fills_the_context_ends_there(server: OllamaServer) -> None:
    backend = backend_on(server, num_ctx=256)
    [completion] = await backend.generate([ask(max_tokens=400)])
    assert completion.finish_reason == "length"
    assert completion.usage.prompt + completion.usage.written <= 257
    await backend.close()


async def test_a_server_that_cuts_all_the_same_is_found_out(server: OllamaServer) -> None:
    backend = backend_on(server, num_ctx=32)
    line = b'{"message":{"content":"a"},"done":true,"done_reason":"stop","prompt_eval_count":32,"eval_count":1}\n'
    assert backend.capabilities.context == 32
    server.fail(instead(line), on="/api/chat")
    with pytest.raises(RequestRefused, match=r"it read 32 tokens, all that its context .* set models.*num_ctx"):
        await backend.generate([ask("short")])
    await backend.close()


async def test_thoughts_and_calls_of_tools_arrive(server: OllamaServer) -> None:
    backend = backend_on(server)
    assert backend.name
    lines = (
        b'{"message":{"role":"assistant","content":"","thinking":"Hm."},"done":false}\n'
        b'{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"python","arguments":'
        b'{"code":"1"}}}]},"done":false}\n'
        b'{"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","eval_count":7}\n'
    )
    server.fail(instead(lines), on="/api/chat")
    [completion] = await backend.generate([ask()])
    assert (completion.thinking, completion.usage.written) == ("Hm.", 7)
    assert completion.text == '\n<tool_call>\n{"name": "python", "arguments": {"code": "1"}}\n</tool_call>\n'
    await backend.close()


async def test_an_adapter_is_a_model_beside_the_base(server: OllamaServer, tiny: Weights, tmp_path: Path) -> None:
    backend, deployment = backend_on(server, top_k=5), trained(tmp_path, tiny)
    served = SERVED.format(tiny.sha256[:16])
    await backend.deploy(deployment)
    [completion] = await backend.generate([ask()], "student-1")
    assert (completion.adapter, server.asked("/api/chat")[-1].json["model"]) == ("student-1", served)
    await backend.close()

    again = backend_on(server)
    await again.deploy(deployment)
    assert len(server.asked("/api/create")) == 1, "a run that goes on finds it there"

    server.library.remove(served)
    [completion] = await again.generate([ask()], "student-1")
    assert completion.text and len(server.asked("/api/create")) == 2, "what somebody deleted is made again"

    await again.retire("student-1")
    assert served not in server.library.manifests and "tiny:1b" in server.library.manifests
    await again.close()


async def test_a_file_is_sent_once_and_only_as_the_log_knows_it(
    server: OllamaServer, tiny: Weights, tmp_path: Path
) -> None:
    other = tiny_weights(tmp_path, "qwen2", context=256)
    folder = tmp_path / "adapter"
    folder.mkdir()
    backend, deployment = backend_on(server), trained(folder, other)
    await backend.deploy(deployment)
    assert [request.method for request in server.asked("/api/blobs")] == ["HEAD", "POST"]
    await backend.deploy(replace(deployment, name="student-2"))
    assert [request.method for request in server.asked("/api/blobs")] == ["HEAD", "POST", "HEAD"]

    (folder / MERGED).write_bytes(b"GGUF")
    with pytest.raises(WrongWeights, match=f"^adapter student-3: .*its sha256 is .* should be {other.sha256}"):
        await backend.deploy(replace(deployment, name="student-3"))
    (folder / MERGED).unlink()
    with pytest.raises(WrongWeights, match="is missing"):
        await backend.deploy(replace(deployment, name="student-4"))
    await backend.close()


async def test_an_adapter_that_would_read_other_prompts_is_refused(
    server: OllamaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ollama chooses a template for a GGUF by itself, where the base has its own."""
    monkeypatch.setitem(TEMPLATES, "llama", WITH_A_SYSTEM)
    base = tiny_weights(tmp_path, "llama")
    server.library.add("llama:1b", base.path)
    backend = backend_on(server, "llama:1b")
    folder = tmp_path / "adapter"
    folder.mkdir()
    with pytest.raises(ConfigurationError, match="student-1: Ollama would give it other prompts than llama:1b reads"):
        await backend.deploy(trained(folder, base))
    assert SERVED.format(base.sha256[:16]) not in server.library.manifests
    await backend.close()

    server.library.create("llama:1b", f"sha256:{base.sha256}", {"parameters": {"temperature": 0.1}})
    backend = backend_on(server, "llama:1b")
    await backend.deploy(replace(trained(folder, base), name="student-2"))
    made = server.library.manifests[f"agent0es/student-2:{base.sha256[:16]}"]
    assert (made.template, made.parameters) == (CHATML, {"temperature": 0.1, "stop": CHATML_STOP})
    await backend.close()


async def test_weights_to_train_from_are_those_of_the_same_model(
    server: OllamaServer, tiny: Weights, tmp_path: Path
) -> None:
    assert backend_on(server).weights is None
    backend = backend_on(server, weights=str(tiny.path))
    assert backend.weights is not None and backend.weights.sha256 == tiny.sha256
    assert backend.capabilities.adapters == {"merged"}
    other = tiny_weights(tmp_path, "llama")
    with pytest.raises(ConfigurationError, match=r"is not the model tiny:1b: its general.architecture is llama, the"):
        _ = backend_on(server, weights=str(other.path)).capabilities


async def test_texts_become_vectors(server: OllamaServer, tiny: Weights, tmp_path: Path) -> None:
    with pytest.raises(RequestRefused, match="makes no vectors of texts; choose one that does, such as all-minilm"):
        await backend_on(server).embed(["a"])
    server.library.add("vectors", write_tiny_gguf(tmp_path / "pooled.gguf", pooled=True))
    backend = backend_on(server, "vectors:latest")
    assert backend.capabilities.embeddings and not backend.capabilities.structured_output
    one, two, three = await backend.embed(["One.", "Two, three.", "One."])
    assert (one.dtype, one.shape) == (np.dtype(np.float32), (64,))
    assert np.allclose(one, three, atol=1e-3) and not np.allclose(one, two, atol=1e-3)
    assert abs(float(np.linalg.norm(two)) - 1) < 1e-3
    assert await backend.embed([]) == []
    with pytest.raises(RequestRefused, match="makes vectors of texts and writes none"):
        await backend.generate([ask()])
    with pytest.raises(RequestRefused, match="the input length exceeds the context length"):
        await backend.embed(["word " * 600])
    await backend.close()


def test_what_is_not_there_is_said_with_what_to_do(server: OllamaServer, unused_tcp_port: int) -> None:
    with pytest.raises(ModelNotFound, match="Ollama has no model absent:7b: fetch it with `ollama pull absent:7b`"):
        _ = backend_on(server, "absent:7b").capabilities
    with pytest.raises(ConfigurationError, match="tiny:1b doesn't think; set think to false"):
        _ = backend_on(server, think=True).capabilities
    away = OllamaBackend.create("tiny:1b", base_url=f"http://127.0.0.1:{unused_tcp_port}")
    health = asyncio.run(away.health())
    assert not health.ok
    assert health.detail.endswith(
        "is Ollama running? Start it with `ollama serve` (its port is 11434), or set models.<role>.base_url"
    )
    with pytest.raises(ModelUnavailable, match="is Ollama running"):
        _ = away.capabilities


async def test_a_key_is_sent_where_one_is_named(server: OllamaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_TEST_KEY", "very-secret")
    backend = create_backend("ollama", "tiny:1b", base_url=server.url, api_key_env="OLLAMA_TEST_KEY", tries=1)
    server.fail(status(500, {"error": "no very-secret today"}), on="/api/show")
    health = await backend.health()
    assert not health.ok and "no *** today" in health.detail
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer very-secret"}
    await backend.close()


async def test_a_library_lists_shows_fetches_and_deletes(server: OllamaServer, tiny: Weights, tmp_path: Path) -> None:
    far = write_tiny_gguf(tmp_path / "far.gguf")
    server.library.registry["far:1b"] = far
    library = library_of("ollama", base_url=server.url)
    assert library is not None
    [listed] = await library.list()
    assert (listed.name, listed.size) == ("tiny:1b", tiny.path.stat().st_size)
    shown = await library.show("tiny:1b")
    assert (shown.model.context, shown.properties["capabilities"]) == (512, ["completion"])

    progress: list[PullProgress] = []
    server.cut_pull_after = 70_000
    await library.pull("far:1b", progress.append)
    size = far.stat().st_size
    assert progress[-1].what == "success" and {one.total for one in progress if one.done} == {size}
    assert [one.what for one in progress].count("pulling manifest") == 2, "it broke off once"
    await library.remove("far:1b")
    assert [model.name for model in await library.list()] == ["tiny:1b"]

    for asked in (library.show("absent"), library.remove("absent")):
        with pytest.raises(ModelNotFound, match="Ollama has no model absent"):
            await asked
    with pytest.raises(ModelNotFound, match="Ollama's library has no model absent"):
        await library.pull("absent", progress.append)


async def test_a_cancelled_request_is_not_answered_on(server: OllamaServer) -> None:
    backend = backend_on(server)
    assert backend.name
    task = asyncio.create_task(backend.generate([ask(max_tokens=100_000)]))
    for _ in range(1000):
        if server.waiting:
            break
        await asyncio.sleep(0.002)
    assert server.waiting == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(100):
        if server.connections == server.waiting == 0:
            break
        await asyncio.sleep(0.02)
    assert server.connections == server.waiting == 0, "the model stops, too"
    await backend.close()


async def test_turns_of_all_speakers_are_sent_as_they_are(server: OllamaServer) -> None:
    backend = backend_on(server)
    turns = (Message("system", "Be brief."), Message("user", "1+1?"), Message("assistant", "2"), Message("tool", "3"))
    [completion] = await backend.generate([replace(ask(), messages=turns)])
    sent = server.asked("/api/chat")[-1].json["messages"]
    assert sent == [{"role": turn.role, "content": turn.content} for turn in turns] and completion.text
    await backend.close()
