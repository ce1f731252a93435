"""What goes wrong with an engine, and what then happens."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agent0es.agents import student_prompt
from agent0es.errors import ModelNotFound
from agent0es.models import child_process
from agent0es.models.artifacts import MERGED, Artifacts
from agent0es.models.base import (
    Deployment,
    GenerationFailed,
    GenerationRequest,
    Message,
    ModelOutOfMemory,
    RequestRefused,
    Weights,
    WrongWeights,
)
from agent0es.models.engine import Engine, EngineSettings
from agent0es.models.engine_messages import EngineRequest
from agent0es.models.openvino import OpenVinoBackend, seat
from agent0es.taskdomains.math import MathDomain
from agent0es.testing.models import ask
from tests.support.engines import tiny_weights

TINY = EngineSettings(cache_tokens=4096, context=512)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """A model that is loaded in half a second."""
    return tiny_weights(tmp_path_factory.mktemp("tiny"))


def engines(parent: int | None = None) -> list[int]:
    """Engine processes that a process started, or all of them."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            arguments = (process / "cmdline").read_text(errors="replace").split("\0")
        except OSError:
            continue
        if "agent0es.models.engine_process" in arguments and parent in (None, int(arguments[-2])):
            found.append(int(process.name))
    return found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_the_loop_runs_on_while_the_model_writes(openvino: OpenVinoBackend) -> None:
    await openvino.generate([ask(max_tokens=1)])
    task = asyncio.create_task(openvino.generate([ask(max_tokens=24, temperature=1.0)] * 32))
    delays = []
    while not task.done():
        begin = time.perf_counter()
        await asyncio.sleep(0.001)
        delays.append(time.perf_counter() - begin)
    assert sorted(delays)[len(delays) // 2] < 0.02, "a step of such a batch takes longer"


async def test_requests_that_share_a_beginning_do_not_write_over_one_another(base_cache: Path) -> None:
    domain = MathDomain()
    backend = OpenVinoBackend.create("smollm2-135m-instruct", cache=base_cache, cache_tokens=16_384)
    requests = []
    for number in range(8):
        shown = domain.mixed_demonstrations(16)
        prompt = student_prompt.opening(domain.system, shown, f"Multiply {37 + number} by {91 - number}.")
        requests.append(GenerationRequest(prompt.messages, 24, shared=len(prompt.opening), stop=("\n",)))
    try:
        first = await backend.generate(requests)  # reads the beginning into the cache, then all go on from there
        again = await backend.generate(requests)
    finally:
        await backend.close()
    assert [completion.text for completion in first] == [completion.text for completion in again]
    assert all(completion.text.startswith("Action: python[") for completion in first)


async def test_a_stream_ends_with_what_might_have_become_a_stop_string(openvino: OpenVinoBackend) -> None:
    [free] = await openvino.generate([ask()])
    begun = free.text[-2:] + " and never this"
    assert "".join([piece async for piece in openvino.stream(ask(stop=(begun,)))]) == free.text


async def test_a_prompt_that_is_too_long_is_refused_alone(openvino: OpenVinoBackend) -> None:
    long, short = ask("word " * 9000), ask(max_tokens=4)
    with pytest.raises(RequestRefused, match="exceed the context of 8192"):
        await openvino.generate([long])
    answers = await asyncio.gather(openvino.generate([long]), openvino.generate([short]), return_exceptions=True)
    assert isinstance(answers[0], RequestRefused) and isinstance(answers[1], list)


async def test_an_engine_that_nobody_waits_for_can_rest(tiny: Weights) -> None:
    """Its memory is free until it is asked again; one that works is left alone."""
    backend = OpenVinoBackend.create(str(tiny.path), cache_tokens=4096)
    before = engines(os.getpid())
    try:
        [first] = await backend.generate([ask(max_tokens=8)])
        at_work = asyncio.create_task(backend.generate([ask(max_tokens=8)]))
        await asyncio.sleep(0)
        await backend.rest()
        assert [one.text for one in await at_work] == [first.text]
        assert len(engines(os.getpid())) == len(before) + 1
        await backend.rest()
        assert engines(os.getpid()) == before
        [again] = await backend.generate([ask(max_tokens=8)])
        assert again.text == first.text
    finally:
        await backend.close()


async def test_a_prompt_without_room_in_the_cache_is_refused(tiny: Weights) -> None:
    backend = OpenVinoBackend.create(str(tiny.path), cache_tokens=256)
    try:
        with pytest.raises(RequestRefused, match="raise the option cache_tokens"):
            await backend.generate([ask("word " * 80)])
        assert await backend.generate([ask(max_tokens=2)])
    finally:
        await backend.close()


async def test_an_engine_that_dies_fails_those_who_wait_and_is_replaced(openvino: OpenVinoBackend) -> None:
    endless = ask("1, 2, 3, 4, 5, 6, 7, 8,", 4000, temperature=2.0)
    task = asyncio.create_task(openvino.generate([endless] * 3))
    await asyncio.sleep(0.3)
    [engine] = engines(os.getpid())
    assert not task.done(), "the answer came too soon to test anything"
    os.kill(engine, signal.SIGSEGV)
    with pytest.raises(GenerationFailed, match="ended with -11"):
        await task
    [completion] = await openvino.generate([ask(max_tokens=3)])
    assert completion.text


async def test_an_engine_that_is_stopped_is_ended_and_replaced(tiny: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it loads, and while it answers. A watchdog in the process would stand still with it."""
    monkeypatch.setattr(child_process, "LOOK_SECONDS", 0.25)
    monkeypatch.setattr(child_process, "STALLED_SECONDS", 2)
    before = set(engines(os.getpid()))
    engine = Engine(seat(tiny.path, TINY))
    try:
        for _ in range(2):
            task = asyncio.ensure_future(engine.submit(EngineRequest("1, 2, 3,", max_tokens=400)))
            await asyncio.sleep(0.01)
            while not (started := set(engines(os.getpid())) - before):  # noqa: ASYNC110 - processes wake nobody
                await asyncio.sleep(0.01)
            [process] = started
            os.kill(process, signal.SIGSTOP)
            with pytest.raises(GenerationFailed, match="made no progress for 2 s and was ended"):
                await task
            await engine.submit(EngineRequest("x", 2))
        [process] = set(engines(os.getpid())) - before
        os.kill(process, signal.SIGSTOP)
        await asyncio.sleep(3)
        os.kill(process, signal.SIGCONT)
        await engine.submit(EngineRequest("x", 2))
        assert set(engines(os.getpid())) - before == {process}, "nobody waited for it"
    finally:
        engine.close()


async def test_an_engine_that_dies_while_it_reads_what_is_shared_warns_nobody(tiny: Weights) -> None:
    warned: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: warned.append(context))
    before = set(engines(os.getpid()))
    backend = OpenVinoBackend.create(str(tiny.path), cache_tokens=4096, context=1024)
    shared = "Numbers: " + ", ".join(map(str, range(70)))
    system = Message("system", shared)
    requests = [GenerationRequest((system, Message("user", str(n))), 2, shared=1) for n in range(3)]
    try:
        task = asyncio.create_task(backend.generate(requests))
        await asyncio.sleep(0.1)
        [loading] = set(engines(os.getpid())) - before
        os.kill(loading, signal.SIGKILL)
        assert len(await task) == 3, "a fresh engine answers; only what it would have kept is lost"
    finally:
        await backend.close()
    gc.collect()
    assert not warned


async def test_no_other_file_is_served_than_the_one_that_was_meant(tiny: Weights, tmp_path: Path) -> None:
    merged = tmp_path / "merged.gguf"
    merged.write_bytes(tiny.path.read_bytes()[:-5] + b"other")
    backend = OpenVinoBackend.create(str(tiny.path), cache_tokens=4096)
    try:
        with pytest.raises(WrongWeights, match=rf"merged.gguf: its sha256 is .* but should be {tiny.sha256}"):
            await backend.deploy(Deployment("changed", Artifacts(tmp_path, {MERGED: tiny.sha256})))
        await backend.deploy(Deployment("changed", Artifacts.measure(tmp_path)))
        await backend.retire("changed")
    finally:
        await backend.close()


async def test_a_copy_that_was_cut_short_is_made_anew(tiny: Weights, tmp_path: Path) -> None:
    copy = tmp_path / "copy-q8_0.gguf"
    copy.write_bytes(tiny.path.read_bytes()[:1000])
    (tmp_path / f".{copy.name}-left").mkdir()
    engine = Engine(seat(tiny.path, TINY, copy, tiny.sha256))
    try:
        assert (await engine.submit(EngineRequest("x", 2))).token_ids
    finally:
        engine.close()
    assert names(tmp_path) == [copy.name, f"{copy.name}.sha256"]


async def test_an_engine_without_memory_may_be_started_again(
    tiny: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no fault of the weights: where memory is free again, the same engine answers."""
    limited = tmp_path / "python"
    limited.write_text(f'#!/bin/sh\nexec prlimit --as=500000000 {sys.executable} "$@"\n')
    limited.chmod(0o755)
    engine = Engine(seat(tiny.path, TINY))
    try:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", str(limited))
            with pytest.raises(ModelOutOfMemory, match="out of memory"):
                await engine.submit(EngineRequest("x", 2))
        assert (await engine.submit(EngineRequest("x", 2))).token_ids
    finally:
        engine.close()


async def test_a_pipeline_that_hangs_is_ended_and_those_who_wait_may_try_again(tiny: Weights) -> None:
    engine = Engine(seat(tiny.path, replace(TINY, context=4096, step_seconds=0.0002)))
    try:
        with pytest.raises(GenerationFailed, match="Timeout"):
            await engine.submit(EngineRequest("word " * 300, 2))
        with pytest.raises(GenerationFailed, match="Timeout"):
            await engine.submit(EngineRequest("word " * 300, 2))  # by another process
    finally:
        engine.close()


async def test_weights_that_are_none_are_refused(openvino: OpenVinoBackend, tmp_path: Path) -> None:
    (tmp_path / MERGED).write_bytes(b"GGUF" + bytes(1000))
    with pytest.raises(ModelNotFound, match="OpenVINO can't load it"):
        await openvino.deploy(Deployment("broken", Artifacts.measure(tmp_path)))
    with pytest.raises(ModelNotFound, match="no such file"):
        await openvino.deploy(Deployment("missing", Artifacts(tmp_path / "nowhere", {MERGED: "0" * 64})))
    with pytest.raises(ModelNotFound, match=r"openvino needs merged\.gguf, and it has none"):
        await openvino.deploy(Deployment("none", Artifacts(tmp_path, {})))


async def test_a_closed_backend_answers_no_more() -> None:
    backend = OpenVinoBackend.create("smollm2-135m-instruct")
    task = asyncio.create_task(backend.generate([ask("x", 10)]))
    await asyncio.sleep(0.1)
    await backend.close()
    for answer in (task, backend.generate([ask("x", 10)])):
        with pytest.raises(GenerationFailed, match="was closed"):
            await answer


@pytest.mark.parametrize("ending", ["pass", "os.kill(os.getpid(), 9)"])
def test_no_engine_outlives_its_parent(ending: str) -> None:
    code = f"""
    import asyncio, os
    from agent0es.models.base import GenerationRequest, Message
    from agent0es.models.openvino import OpenVinoBackend, seat
    async def main():
        backend = OpenVinoBackend.create("smollm2-135m-instruct")
        task = asyncio.create_task(backend.generate([GenerationRequest((Message("user", "x"),), 10)]))
        await asyncio.sleep(0.5)
        print(os.getpid(), flush=True)
        {ending}
    asyncio.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, timeout=60
    )
    deadline = time.monotonic() + 2  # it was loading, which takes longer
    while engines(int(done.stdout)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not engines(int(done.stdout))
