"""The real client library `ollama`, pointed at the server for tests: what it reads there is what an Ollama says."""

from collections.abc import Iterator
from typing import Any

import httpx
import ollama
import pytest

from agent0es.models.base import Weights
from tests.integration.training.tiny_model import write_tiny_gguf
from tests.support.engines import tiny_weights

pytest.importorskip("xllamacpp", reason="the extra dev has it")
from tests.support.ollama_server import VERSION, OllamaServer

ASKED: Any = {"model": "tiny:1b", "messages": [{"role": "user", "content": "Count."}]}
GREEDY = {"temperature": 0.0, "num_predict": 6, "seed": 1, "num_ctx": 512}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return tiny_weights(tmp_path_factory.mktemp("tiny"), "qwen2", words=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny: Weights) -> Iterator[OllamaServer]:
    folder = tmp_path_factory.mktemp("ollama")
    with OllamaServer(folder / "models", {"far:1b": write_tiny_gguf(folder / "far.gguf")}) as running:
        running.library.add("tiny:1b", tiny.path)
        running.library.add("vectors:latest", write_tiny_gguf(folder / "pooled.gguf", pooled=True))
        yield running


@pytest.fixture
def client(server: OllamaServer) -> Iterator[ollama.Client]:
    with ollama.Client(host=server.url) as client:
        yield client


def test_it_runs(server: OllamaServer) -> None:
    assert httpx.get(server.url).text == "Ollama is running"
    assert httpx.get(f"{server.url}/api/version").json() == {"version": VERSION}


def test_chat_and_generate(client: ollama.Client) -> None:
    whole = client.chat(**ASKED, options=GREEDY, think=False, logprobs=True)
    assert whole.done and whole.done_reason == "length" and whole.eval_count == 6
    assert whole.prompt_eval_count and whole.total_duration and whole.eval_duration
    assert whole.logprobs is not None and len(whole.logprobs) == 6
    assert "".join(one.token for one in whole.logprobs) == whole.message.content
    parts = list(client.chat(**ASKED, options=GREEDY, stream=True))
    assert "".join(part.message.content or "" for part in parts) == whole.message.content
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    generated = client.generate(model="tiny:1b", prompt="Count.", options=GREEDY)
    assert generated.response == whole.message.content
    assert client.generate(model="tiny:1b", prompt="Count.", raw=True, options=GREEDY).response


def test_structured_output(client: ollama.Client) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}, "required": ["n"]}
    told = client.chat(**ASKED, format=schema, options=GREEDY | {"num_predict": 60})
    assert told.message.content is not None and told.message.content.startswith("{")


def test_embed(client: ollama.Client) -> None:
    embedded = client.embed(model="vectors", input=["One.", "Two."])
    assert [len(vector) for vector in embedded.embeddings] == [64, 64]


def test_list_show_create_pull_and_delete(client: ollama.Client, tiny: Weights) -> None:
    assert {"tiny:1b", "vectors:latest"} <= {model.model for model in client.list().models}
    shown = client.show("tiny:1b")
    assert shown.capabilities == ["completion"] and shown.modelinfo is not None
    assert shown.modelinfo["qwen2.context_length"] == 512 and "chat_template" not in shown.modelinfo
    assert shown.details is not None and (shown.details.family, shown.details.quantization_level) == ("qwen2", "Q8_0")

    digest = client.create_blob(tiny.path)
    assert digest == f"sha256:{tiny.sha256}"
    statuses = [
        part.status
        for part in client.create("mine", files={"a.gguf": digest}, parameters={"stop": ["x", "y"]}, stream=True)
    ]
    assert statuses[0] == "parsing GGUF" and statuses[-2:] == ["writing manifest", "success"]
    assert client.show("mine").parameters == f'{"stop":<30} "x"\n{"stop":<30} "y"'
    client.delete("mine")

    parts = list(client.pull("far:1b", stream=True))
    assert parts[0].status == "pulling manifest" and parts[-1].status == "success"
    fetched = [part for part in parts if part.digest]
    assert [part.completed for part in fetched] == sorted(part.completed or 0 for part in fetched)
    assert fetched[-1].completed == fetched[-1].total
    assert client.pull("far:1b").status == "success", "a second time it is there"


@pytest.mark.parametrize(
    ("ask", "code", "message"),
    [
        (lambda client: client.chat(**ASKED | {"model": "absent"}), 404, "model 'absent' not found"),
        (lambda client: client.show("absent"), 404, "model 'absent' not found"),
        (lambda client: client.delete("absent"), 404, "model 'absent' not found"),
        (lambda client: client.chat(**ASKED, think=True), 400, '"tiny:1b" does not support thinking'),
        (lambda client: client.chat(**ASKED | {"model": "vectors"}), 400, '"vectors" does not support chat'),
        (lambda client: client.chat(**ASKED, top_logprobs=21), 400, "top_logprobs must be between 0 and 20"),
        (lambda client: client.create("a b", files={"a": "sha256:" + "0" * 64}), 400, "invalid model name"),
        (lambda client: client.create("a", adapters={"a": "sha256:" + "0" * 64}), 400, "LoRA adapters are no longer"),
        (lambda client: client.pull("absent"), 500, "pull model manifest: file does not exist"),
        (lambda client: list(client.pull("absent", stream=True)), -1, "pull model manifest: file does not exist"),
        (lambda client: client.chat(**ASKED, options={"num_ctx": 256, "num_predict": 1}), 200, ""),
    ],
)
def test_what_is_refused(client: ollama.Client, ask: Any, code: int, message: str) -> None:
    if code == 200:
        assert ask(client).done
        return
    with pytest.raises(ollama.ResponseError) as refused:
        ask(client)
    assert message in refused.value.error and refused.value.status_code == code


def test_too_long_a_prompt(client: ollama.Client) -> None:
    long: Any = {"model": "tiny:1b", "messages": [{"role": "user", "content": "word " * 600}]}
    with pytest.raises(ollama.ResponseError, match="exceeds the available context size") as refused:
        client.chat(**long, options=GREEDY)
    assert refused.value.status_code == 400
