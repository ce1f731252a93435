"""The backend `transformers`: the contract, and what it answers beside the library itself."""

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent0es.errors import ModelNotFound
from agent0es.models.artifacts import WEIGHTS
from agent0es.models.base import Deployment, GenerationFailed, WrongWeights
from agent0es.models.transformers import TransformersBackend
from agent0es.testing import BackendContract
from agent0es.testing.models import ask
from tests.support.engines import processes
from tests.support.tiny_folder import write_tiny_adapter, write_tiny_folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_folder(tmp_path_factory.mktemp("models") / "tiny")


def kill_newest() -> None:
    """The engine that was started last dies."""
    os.kill(max(processes("agent0es.models.transformers.process", os.getpid())), signal.SIGKILL)


@pytest.fixture(scope="module")
def shared(tiny: Path) -> Iterator[TransformersBackend]:
    backend = TransformersBackend.create(str(tiny), threads=1)
    yield backend
    asyncio.run(backend.close())


class TestContract(BackendContract):
    closes = False

    @pytest.fixture
    def backend(self, shared: TransformersBackend) -> TransformersBackend:
        return shared

    @pytest.fixture(autouse=True)
    def _adapter(self, tmp_path: Path) -> None:
        self.deployment = Deployment("student-1", write_tiny_adapter(tmp_path / "one"))


async def test_who_joins_a_batch_is_answered_as_if_alone(shared: TransformersBackend) -> None:
    requests = [ask("ban " * (5 * n + 1), 8 + 5 * n, seed=n, temperature=float(n % 2), top_p=0.9) for n in range(12)]
    alone = [await shared.generate([request]) for request in requests]

    async def later(place: int) -> list[object]:
        await asyncio.sleep(0.01 * place)
        return await shared.generate([requests[place]])

    together = await asyncio.gather(*map(later, range(len(requests))))
    for [one], [other] in zip(alone, together, strict=True):
        assert one.token_ids == other.token_ids
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)


async def test_what_requests_share_is_read_once_and_changes_nothing(tiny: Path, shared: TransformersBackend) -> None:
    requests = [
        replace(ask(f"ko{'la' * n}", 12), messages=(*ask("ban " * 50).messages, *ask(f"tu{n}").messages))
        for n in range(4)
    ]
    free = await shared.generate(requests)
    first = await shared.generate([replace(request, shared=1) for request in requests])
    again = await shared.generate([replace(request, shared=1) for request in requests])
    for one, *others in zip(free, first, again, strict=True):
        assert all(one.token_ids == other.token_ids for other in others)
        assert all(one.usage == other.usage for other in others)


async def test_every_row_of_a_batch_has_its_own_adapter(shared: TransformersBackend, tmp_path: Path) -> None:
    deployments = [Deployment(f"s-{n}", write_tiny_adapter(tmp_path / str(n), seed=n)) for n in range(2)]
    for deployment in deployments:
        await shared.deploy(deployment)
    names = [None, "s-0", "s-1"]
    alone = [(await shared.generate([ask(max_tokens=12)], name))[0] for name in names]
    assert len({one.text for one in alone}) == 3
    together = await asyncio.gather(*(shared.generate([ask(max_tokens=12)], name) for name in names * 3))
    assert [one.text for [one] in together] == [one.text for one in alone] * 3
    for name in ("s-0", "s-1"):
        await shared.retire(name)
    [after] = await shared.generate([ask(max_tokens=12)])
    assert after == replace(alone[0], seconds=after.seconds)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"use_dora": True}, "it uses use_dora, and only plain LoRA is served"),
        ({"peft_type": "IA3"}, "adapter_config.json does not describe a LoRA adapter"),
        ({"r": 8}, "size mismatch"),
        ({"target_modules": ["no_such"]}, "no_such"),
        ({"target_modules": ["q_proj"]}, "the base has no place for"),
        ({"r": "4"}, "can't be put on this base"),
    ],
)
async def test_an_adapter_that_does_not_fit_is_refused_and_the_base_answers(
    shared: TransformersBackend, tmp_path: Path, more: dict[str, object], problem: str
) -> None:
    with pytest.raises(ModelNotFound, match=problem):
        await shared.deploy(Deployment("odd-1", write_tiny_adapter(tmp_path / "odd", **more)))
    [completion] = await shared.generate([ask(max_tokens=4)])
    assert completion.text


async def test_a_new_process_has_the_adapters_of_the_one_that_died(shared: TransformersBackend, tmp_path: Path) -> None:
    await shared.deploy(Deployment("s-1", write_tiny_adapter(tmp_path)))
    [before] = await shared.generate([ask()], "s-1")
    asked = asyncio.create_task(shared.generate([ask(max_tokens=4000)], "s-1"))
    await asyncio.sleep(0.2)
    kill_newest()
    with pytest.raises(GenerationFailed, match="ended with -9"):
        await asked
    [after] = await shared.generate([ask()], "s-1")
    assert after == replace(before, seconds=after.seconds)
    await shared.retire("s-1")


@pytest.mark.slow  # a process of its own
async def test_an_adapter_that_was_changed_is_not_loaded_again(shared: TransformersBackend, tmp_path: Path) -> None:
    artifacts = write_tiny_adapter(tmp_path)
    await shared.deploy(Deployment("s-1", artifacts))
    weights = tmp_path / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    kill_newest()
    await asyncio.sleep(0.5)
    with pytest.raises(WrongWeights, match="its sha256 is"):
        await shared.generate([ask()], "s-1")
    [base] = await shared.generate([ask()])
    assert base.adapter is None
    await shared.retire("s-1")


async def test_weights_that_were_changed_are_not_loaded(tmp_path: Path) -> None:
    folder = write_tiny_folder(tmp_path / "tiny")
    backend = TransformersBackend.create(str(folder), threads=1)
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    try:
        with pytest.raises(WrongWeights, match="its sha256 is"):
            await backend.generate([ask()])
    finally:
        await backend.close()


@pytest.mark.slow  # a process of its own
async def test_a_model_with_a_window_answers_a_batch_as_each_alone(tmp_path: Path) -> None:
    """Nobody can join its batches, and nothing may be filled up within one."""
    window = {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": 8}
    backend = TransformersBackend.create(str(write_tiny_folder(tmp_path / "tiny", **window)), threads=1)
    requests = [replace(ask("ban " * (5 * n + 1), 8 + 5 * n), shared=1) for n in range(6)]
    more = [replace(one, messages=(*one.messages, *ask(f"tu{'la' * n}").messages)) for n, one in enumerate(requests)]
    try:
        for asked in (requests, more):
            alone = [await backend.generate([replace(request, shared=0)]) for request in asked]
            together = await asyncio.gather(*(backend.generate([request]) for request in asked))
            assert [one.token_ids for [one] in together] == [one.token_ids for [one] in alone]
    finally:
        await backend.close()
