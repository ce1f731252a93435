"""The contract that ships, kept by the scripted backend, by a recording of it, and by OpenVINO."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent0es.decisions.attempt import model_called
from agent0es.domain.prompt import Part, Prompt
from agent0es.log import EventLog, NewEvent
from agent0es.models.artifacts import MERGED, Artifacts
from agent0es.models.base import Deployment, GenerationRequest
from agent0es.models.openvino import OpenVinoBackend
from agent0es.models.recorded import RecordedBackend
from agent0es.models.scripted import ScriptedBackend
from agent0es.testing import BackendContract
from agent0es.testing.models import AS_JSON, BEGUN, QUESTION, SAID, SCHEMA, ask
from tests.support.engines import tiny_weights

NO_FILES = Deployment("student-1", Artifacts(Path("adapter"), {}))


def script(request: GenerationRequest, adapter: str | None) -> str:
    if "JSON" in request.messages[-1].content:
        return '{"n": 4}'
    return ", ".join(random.Random(request.seed).sample(["one", "two", "three", "four", "five", "six", "seven"], 7))


class TestScripted(BackendContract):
    @pytest.fixture
    def backend(self) -> ScriptedBackend:
        return ScriptedBackend(script)

    deployment = NO_FILES


class TestRecorded(BackendContract):
    """What the contract asks was asked of the scripted backend; its log has the answers."""

    @pytest.fixture(scope="class")
    def recording(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        store = tmp_path_factory.mktemp("store")
        backend = ScriptedBackend(script)
        [free] = asyncio.run(backend.generate([ask()]))
        stops = ((free.text.split()[2], "never written"), (free.text[:1],))
        requests = [ask(max_tokens=tokens) for tokens in (24, 3, 4, 200, 4000)]
        requests += [ask(stop=stop) for stop in stops]
        requests += [ask(f"Say {n}.", 8, temperature=0.8, seed=n) for n in range(40)]
        requests += [ask(f"Say {n}.", 6, seed=n) for n in range(40)]
        requests += [ask(temperature=1.0, seed=seed) for seed in (0, 1, 2, 3, 2**63 + 5)]
        requests += [ask(AS_JSON, 60, json_schema=SCHEMA, prefill=begun) for begun in ("", " ")] + [ask(prefill=BEGUN)]
        requests += [ask(prefill=BEGUN, temperature=0.8, top_p=0.9, seed=7)]
        requests += [ask(text, 2, prefill=text[:20]) for text in SAID]
        asyncio.run(record(backend, store, requests))
        return store

    @pytest.fixture
    def backend(self, recording: Path) -> RecordedBackend:
        return RecordedBackend.create(f"{recording}:r")

    deployment = NO_FILES


def prompt_of(request: GenerationRequest) -> Prompt:
    turns = tuple(Part(role=message.role, text=message.content) for message in request.messages)
    return Prompt(turns=turns, prefill=(Part(text=request.prefill),))


async def record(backend: ScriptedBackend, store: Path, requests: list[GenerationRequest]) -> None:
    """A log with the answers to the requests, and one of an adapter."""
    asked: list[tuple[GenerationRequest, str | None]] = [(request, None) for request in requests]
    for name in ("student-1", "student-1-too"):
        await backend.deploy(replace(NO_FILES, name=name))
        asked += [(ask(QUESTION, tokens), name) for tokens in (24, 200)]
    with EventLog.open(store / "log.db") as log:
        for request, adapter in asked:
            [completion] = await backend.generate([request], adapter)
            event = model_called(
                request,
                completion,
                prompt_of(request),
                role="student",
                task=1,
                attempt="1/0",
            )
            log.append([NewEvent("attempt/r/1/0", event)], handler="solve")


class TestOpenVino(BackendContract):
    """A tiny model, which says nothing but words. What it can't show is below."""

    closes = False
    test_a_seed_alone_decides = None
    test_text_follows_a_json_schema = None
    test_a_schema_holds_for_its_own_request = None

    @pytest.fixture(scope="class")
    def shared(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenVinoBackend]:
        """Without a prefix cache: what other tests asked must not change an answer."""
        tiny = tiny_weights(tmp_path_factory.mktemp("tiny"), "qwen2", context=4096, words=True)
        backend = OpenVinoBackend.create(str(tiny.path), cache_tokens=16_384, prefix_cache=False)
        yield backend
        asyncio.run(backend.close())

    @pytest.fixture
    def backend(self, shared: OpenVinoBackend) -> OpenVinoBackend:
        return shared

    @pytest.fixture(autouse=True)
    def _merged(self, tmp_path: Path) -> None:
        """Of another base, which is loaded in a moment: that is no matter to an engine of merged weights."""
        merged = tiny_weights(tmp_path)
        merged.path.rename(tmp_path / MERGED)
        self.deployment = Deployment("student-1", Artifacts(tmp_path, {MERGED: merged.sha256}))

    async def test_what_a_stop_string_cuts_off_is_not_counted(self, backend: OpenVinoBackend) -> None:
        [free] = await backend.generate([ask()])
        [cut] = await backend.generate([ask(stop=(free.text.split()[2],))])
        [nothing] = await backend.generate([ask(stop=(free.text[:1],))])
        assert nothing.usage.written == 0 < cut.usage.written < free.usage.written


class TestEmbedded:
    """Where words matter: the tiny model says the same whatever the seed, and white space without end as JSON."""

    closes = False

    @pytest.fixture
    def backend(self, openvino: OpenVinoBackend) -> OpenVinoBackend:
        return openvino

    test_a_seed_alone_decides = BackendContract.test_a_seed_alone_decides
    test_text_follows_a_json_schema = BackendContract.test_text_follows_a_json_schema
    test_a_schema_holds_for_its_own_request = BackendContract.test_a_schema_holds_for_its_own_request


@pytest.mark.slow
class TestAllOfEmbedded(TestOpenVino):
    @pytest.fixture(scope="class")
    def shared(self, openvino: OpenVinoBackend) -> OpenVinoBackend:
        return openvino

    test_a_seed_alone_decides = BackendContract.test_a_seed_alone_decides
    test_text_follows_a_json_schema = BackendContract.test_text_follows_a_json_schema
    test_a_schema_holds_for_its_own_request = BackendContract.test_a_schema_holds_for_its_own_request
