"""The backend `openai-compatible` in front of a server that talks as vLLM does, and the real client before it."""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from agent0es.errors import ConfigurationError, ModelNotFound
from agent0es.models.artifacts import Artifacts
from agent0es.models.base import (
    Completion,
    Deployment,
    GenerationRequest,
    ModelBackend,
    ModelUnavailable,
    RequestRefused,
    WrongWeights,
)
from agent0es.models.http import asking
from agent0es.models.openai_compatible import OpenAiCompatibleBackend
from agent0es.testing import BackendContract
from agent0es.testing.models import AS_JSON, EITHER, ask
from tests.support import http_server as raw
from tests.support.http_server import Answer, HttpServer, Request, events, json_answer
from tests.support.openai_server import END, OpenAiServer

WORDS = ["one", "two", "three", "four", "five", "six", "seven"]


def script(request: GenerationRequest, adapter: str | None) -> str:
    if request.json_schema is not None:
        return '{"n": 4}'
    if "Count" in request.messages[-1].content and request.temperature == 0:
        return ", ".join(WORDS)
    return ", ".join(random.Random(request.seed).sample(WORDS, 7))


def backend_of(server: HttpServer, name: str = "tiny", **options: Any) -> OpenAiCompatibleBackend:
    return OpenAiCompatibleBackend.create(name, base_url=server.url, **options)


def answered(backend: ModelBackend, request: GenerationRequest, adapter: str | None = None) -> Completion:
    async def once() -> Completion:
        [completion] = await backend.generate([request], adapter)
        await backend.close()
        return completion

    return asyncio.run(once())


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    folder = tmp_path_factory.mktemp("student-1")
    (folder / "adapter").mkdir()
    (folder / "adapter" / "adapter_config.json").write_text("{}")
    (folder / "adapter" / "adapter_model.safetensors").write_bytes(b"weights")
    return Deployment("student-1", Artifacts.measure(folder))


class TestOpenAiCompatible(BackendContract):
    @pytest.fixture
    def backend(self) -> Iterator[OpenAiCompatibleBackend]:
        with OpenAiServer(script) as server:
            yield backend_of(server)

    @pytest.fixture(autouse=True)
    def _with_an_adapter(self, adapter: Deployment) -> None:
        self.deployment = adapter


def test_the_real_client_reads_the_server(adapter: Deployment) -> None:
    with OpenAiServer(script, key="k", thinking="Let me see.") as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0)
        assert [model.id for model in client.models.list()] == ["tiny"]
        asked: Any = {"model": "tiny", "messages": [{"role": "user", "content": "Count."}], "temperature": 0}
        whole = client.chat.completions.create(**asked, max_tokens=20, logprobs=True, top_logprobs=1)
        text = ""
        with client.chat.completions.create(
            **asked, max_tokens=20, stream=True, stream_options={"include_usage": True}, logprobs=True
        ) as stream:
            for chunk in stream:
                text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        assert text == whole.choices[0].message.content == ", ".join(WORDS)
        assert chunk.usage == whole.usage and chunk.usage is not None
        with pytest.raises(openai.NotFoundError, match="does not exist"):
            client.chat.completions.create(**{**asked, "model": "nobody"})
        with pytest.raises(openai.BadRequestError, match="maximum context length"):
            client.chat.completions.create(**{**asked, "messages": [{"role": "user", "content": "a " * 5000}]})
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(base_url=f"{server.url}/v1", api_key="wrong", max_retries=0).models.list()


def test_all_that_a_server_gives_is_in_the_completion() -> None:
    calls = (("python", {"code": "1 + 1"}), ("math", {"expression": "2"}))
    with OpenAiServer(script, thinking="I count to seven.", calls=calls) as server:
        completion = answered(backend_of(server), ask(max_tokens=40))
    assert completion.thinking == "I count to seven."
    assert completion.text == (
        "one, two, three, four, five, six, seven\n"
        '<tool_call>\n{"name": "python", "arguments": {"code": "1 + 1"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "math", "arguments": {"expression": "2"}}\n</tool_call>'
    )
    assert completion.finish_reason == "stop"
    assert completion.token_ids is not None and completion.token_ids[-1] == END[0], "the end of the turn is written too"
    assert len(completion.token_ids) == completion.usage.written == 4 + 7 + 1


def test_tokens_of_a_stop_string_were_not_written() -> None:
    with OpenAiServer(script) as server:
        completion = answered(backend_of(server), ask(stop=(" three, four",)))
        early = answered(backend_of(server), ask(stop=(",",)))
    assert (completion.text, completion.usage.written) == ("one, two,", 2)
    assert completion.logprobs is not None and len(completion.logprobs) == 2
    assert (early.text, early.usage.written) == ("one", 1), "a token that is cut in the middle was begun"


def test_what_was_sent_is_what_was_asked_for() -> None:
    with OpenAiServer(script) as server:
        backend = backend_of(server, extra_body={"top_k": 20})
        answered(backend, ask(temperature=0.7, top_p=0.9, seed=2**63 + 5, stop=("a", "b", "a"), prefill="One,"))
        sent = server.asked("chat")[-1].json
    assert (sent["temperature"], sent["top_p"], sent["max_tokens"]) == (0.7, 0.9, 24)
    assert sent["seed"] == (2**63 + 5) % 2**31 and sent["stop"] == ["a", "b"]
    assert sent["top_k"] == 20 and sent["min_p"] == 0, "the user's own, and nothing that nobody asked for"
    assert sent["messages"][-1] == {"role": "assistant", "content": "One,"} and sent["continue_final_message"]


def test_an_adapter_is_loaded_under_a_name_of_its_own_and_again_after_a_restart(adapter: Deployment) -> None:
    async def asked(server: OpenAiServer) -> None:
        backend = backend_of(server)
        await backend.deploy(adapter)
        [name] = server.adapters
        assert name.startswith("student-1-") and server.adapters[name] == str(adapter.artifacts.peft)
        assert (await backend.generate([ask()], "student-1"))[0].adapter == "student-1"
        other = backend_of(server)  # of a run that was resumed: the server has it still
        await other.deploy(adapter)
        server.restart()
        answers = await asyncio.gather(*(backend.generate([ask()], "student-1") for _ in range(3)))
        assert [one.adapter for [one] in answers] == ["student-1"] * 3 and list(server.adapters) == [name]
        await backend.retire("student-1")
        assert not server.adapters
        with pytest.raises(ModelNotFound, match="student-1 is not deployed"):
            await backend.generate([ask()], "student-1")
        await backend.close()
        await other.close()

    with OpenAiServer(script) as server:
        asyncio.run(asked(server))


def test_an_adapter_that_is_retired_while_it_is_asked_is_not_loaded_again(adapter: Deployment) -> None:
    async def gone(request: Request) -> Answer:
        await asyncio.sleep(0.1)
        return json_answer({"error": {"message": "The model `student-1` does not exist.", "code": 404}}, 404)

    async def asked(server: OpenAiServer) -> None:
        backend = backend_of(server)
        await backend.deploy(adapter)
        server.fail(raw.Fault("gone", gone), on="chat")
        late = asyncio.create_task(backend.generate([ask()], "student-1"))
        await asyncio.sleep(0.05)
        await backend.retire("student-1")
        with pytest.raises(ModelNotFound, match="student-1 is not deployed"):
            await late
        assert not server.adapters
        await backend.close()

    with OpenAiServer(script) as server:
        asyncio.run(asked(server))


def test_an_adapter_whose_files_were_changed_is_not_served(adapter: Deployment, tmp_path: Path) -> None:
    wrong = Deployment("student-1", Artifacts(adapter.artifacts.folder, {**adapter.artifacts.files, "adapter/x": "ab"}))
    with OpenAiServer(script) as server, pytest.raises(WrongWeights, match="adapter/x is missing"):
        asyncio.run(backend_of(server).deploy(wrong))


def test_a_server_on_another_machine_is_told_its_own_paths(adapter: Deployment) -> None:
    with OpenAiServer(script) as server:
        folder = adapter.artifacts.folder
        backend = backend_of(server, paths={str(folder.parent): "/mnt/shared"})
        with pytest.raises(ModelNotFound, match=rf"/mnt/shared/{folder.name}/adapter.*models.<role>.options.paths"):
            asyncio.run(backend.deploy(adapter))


def test_a_server_that_loads_no_adapters_says_so_before_a_run(adapter: Deployment) -> None:
    with OpenAiServer(script, runtime_lora=False) as server:
        assert backend_of(server).capabilities.adapters == frozenset()


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_the_address_may_name_the_api_or_not(suffix: str) -> None:
    with OpenAiServer(script) as server:
        backend = OpenAiCompatibleBackend.create("tiny", base_url=server.url + suffix)
        assert backend.capabilities.context == 4096 and backend.name == "tiny"


def test_the_models_of_a_server_are_listed_and_shown() -> None:
    async def looked(server: OpenAiServer) -> None:
        library = OpenAiCompatibleBackend.library(base_url=server.url)
        [listed] = await library.list()
        assert (listed.name, listed.context) == ("tiny", 4096)
        assert (await library.show("tiny")).model == listed
        with pytest.raises(ModelNotFound, match="no model 'tinny'; the nearest is tiny"):
            await library.show("tinny")
        for refused in (library.remove("tiny"), library.pull("another", lambda progress: None)):
            with pytest.raises(ConfigurationError, match=r"it (deletes|fetches) no models"):
                await refused

    with OpenAiServer(script) as server:
        asyncio.run(looked(server))


def test_what_is_wrong_is_said_before_the_first_question() -> None:
    with pytest.raises(ConfigurationError, match=r"set models.<role>.base_url to the server's address"):
        OpenAiCompatibleBackend.create("tiny")
    with OpenAiServer(script) as server:
        with pytest.raises(ModelNotFound, match=r"it has no model 'nobody'; there is tiny; mend models.<role>.name"):
            _ = backend_of(server, "nobody").capabilities
        backend = backend_of(server)
    with pytest.raises(ModelUnavailable, match=r"no connection .*; start the server"):
        _ = backend.name
    health = asyncio.run(backend.health())
    assert not health.ok and "start the server" in health.detail


def test_a_prompt_that_is_too_long_is_refused() -> None:
    with (
        OpenAiServer(script, context=64) as server,
        pytest.raises(RequestRefused, match="maximum context length is 64"),
    ):
        answered(backend_of(server), ask("word " * 100))


def test_a_prompt_that_the_server_cut_without_a_word_is_refused() -> None:
    async def cutting(request: Request) -> Answer:
        if request.method == "GET":
            return json_answer({"data": [{"id": "m"}]})
        if not request.json.get("stream"):
            return json_answer({"choices": []})
        end = {"choices": [{"index": 0, "delta": {"content": "yes"}, "finish_reason": "stop"}]}
        return events([end, {"choices": [], "usage": {"prompt_tokens": 80, "completion_tokens": 1}}])

    with HttpServer(cutting) as server, pytest.raises(RequestRefused, match="80 tokens of a prompt of 300 words"):
        answered(backend_of(server, "m", logprobs=False), ask("word " * 300))


def test_a_schema_that_is_no_objects_stands_within_one_for_openai() -> None:
    def held(request: GenerationRequest, adapter: str | None) -> str:
        assert request.json_schema is not None and request.json_schema["type"] == "object"
        return '{"answer": {"n": 4}}'

    async def both(server: HttpServer) -> tuple[Completion, str]:
        options = {"server": "openai", "logprobs": True, "sampling": True}
        backend = OpenAiCompatibleBackend.create("tiny", base_url=server.url, **options)
        [completion] = await backend.generate([ask(AS_JSON, json_schema=EITHER)])
        streamed = "".join([piece async for piece in backend.stream(ask(AS_JSON, json_schema=EITHER))])
        await backend.close()
        return completion, streamed

    with OpenAiServer(held) as server:
        completion, streamed = asyncio.run(both(server))
    assert completion.text == streamed == '{"n": 4}'
    assert completion.logprobs is None and completion.mean_logprob is not None, "its tokens wrote more than that"


async def unknown(request: Request) -> Answer:
    """A server of which nothing is known: it gives no log-probabilities, and refuses a temperature."""
    if request.path == "/v1/models":
        return json_answer({"data": [{"id": "m", "owned_by": "somebody"}]})
    if "temperature" in request.json:
        return json_answer({"error": {"message": "Unsupported value: 'temperature'", "code": "unsupported"}}, 400)
    said = {"index": 0, "delta": {"content": "<think>\nhm\n</think>\n\nyes"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 5}
    if not request.json.get("stream"):
        return json_answer({"choices": [{**said, "message": said["delta"]}], "usage": usage})
    return events([{"choices": [said]}, {"choices": [], "usage": usage}])


def test_what_an_unknown_server_can_do_is_tried() -> None:
    with HttpServer(unknown) as server:
        backend = backend_of(server, "m")
        able = backend.capabilities
        assert not (able.logprobs or able.sampling or able.prefill or able.seeds or able.adapters or able.priced)
        completion = answered(backend, ask(temperature=0.7, prefill="One,"))
        assert (completion.text, completion.thinking) == ("yes", "hm")
        assert set(completion.left_out) == {"temperature", "prefill", "seed"}
        said = backend_of(server, "m", sampling=True, prefill=True, seeds=True, context=100).capabilities
        assert said.sampling and said.prefill and said.seeds and said.context == 100


def test_a_limit_on_tokens_holds_also_where_a_server_counts_none() -> None:
    async def uncounted(request: Request) -> Answer:
        if request.method == "GET":
            return json_answer({"data": [{"id": "m"}]})
        return events([{"choices": [{"index": 0, "delta": {"content": "yes"}, "finish_reason": "stop"}]}])

    with HttpServer(uncounted) as server:
        backend = backend_of(server, "m", logprobs=False, sampling=False, tokens_per_minute=30_000)
        begin = time.monotonic()
        for _ in range(3):
            answered(backend, ask(max_tokens=150))  # 0.3 s of the limit, or more
        assert time.monotonic() - begin > 0.6


def test_a_stream_gives_back_the_tokens_that_it_did_not_use() -> None:
    async def streamed(server: OpenAiServer) -> None:
        backend = backend_of(server, tokens_per_minute=60_000)
        for _ in range(3):
            assert "".join([piece async for piece in backend.stream(ask(max_tokens=4000))]) == ", ".join(WORDS)
        await backend.close()

    with OpenAiServer(script, context=8192) as server:
        begin = time.monotonic()
        asyncio.run(streamed(server))
        assert time.monotonic() - begin < 3, "each might have taken 4 s of the limit, and took 20 ms"


def test_a_server_that_loads_its_model_is_waited_for_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_GROWING", lambda state: 0.01)
    loading = raw.status(503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}})
    with OpenAiServer(script) as server:
        server.fail(loading, times=3, on="/v1/models")
        assert asyncio.run(backend_of(server).health()).ok
        server.fail(loading, times=8, on="/v1/models")
        with pytest.raises(ModelUnavailable, match=r"HTTP 503: Loading model .*; it is loading its model: wait until"):
            _ = backend_of(server).name


async def forbids(request: Request) -> Answer:
    """Some models must not be asked for log-probabilities, which is told as if the key were wrong."""
    if request.body and "logprobs" in request.json:
        said = "You are not allowed to request logprobs from this model"
        return json_answer({"error": {"message": said, "type": "invalid_request_error"}}, 403)
    return json_answer({"data": [{"id": "m"}], "choices": []})


def test_a_model_that_must_not_be_asked_for_log_probabilities_answers_without() -> None:
    with HttpServer(forbids) as server:
        able = backend_of(server, "m").capabilities
        assert able.sampling and not able.logprobs


def test_what_the_user_has_said_of_a_server_is_not_asked() -> None:
    with HttpServer(unknown) as server:
        able = backend_of(server, "m", logprobs=False).capabilities
        assert not able.sampling and not any("logprobs" in asked.json for asked in server.asked("chat"))
        server.requests.clear()
        able = backend_of(server, "m", logprobs=True, sampling=True).capabilities
        assert able.logprobs and able.sampling and server.asked("chat") == []


@pytest.mark.parametrize(
    "value",
    [
        {"choices": [{"delta": {"content": 7}}]},
        {"choices": "none"},
        {"choices": [{"delta": {"content": "a"}, "logprobs": {"content": [{"token": "a", "logprob": "high"}]}}]},
        ["choices"],
        {"choices": [{"delta": {"content": "a"}, "finish_reason": "nonsense"}]},
        {"choices": [{"delta": {"content": "a"}}]},
    ],
)
def test_an_answer_of_another_protocol_is_a_fault_that_is_told(value: Any) -> None:
    with OpenAiServer(script) as server:
        backend = backend_of(server)
        assert backend.name

        async def odd(request: Request) -> Answer:
            return events([value])

        server.fail(raw.Fault("odd", odd), on="chat")
        completion = answered(backend, ask())
        assert completion.text == ", ".join(WORDS) and len(completion.tries) == 1
        assert json.dumps(completion.measured)
