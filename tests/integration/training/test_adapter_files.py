"""No file is served but the one that the log speaks of; a merged file is made again from its adapter."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from agent0es.training.jobs import TrainingJob, train_adapter

from agent0es.domain import events as ev
from agent0es.domain.adapter import Adapter
from agent0es.domain.run import RunState
from agent0es.errors import StoreError
from agent0es.handlers.base import Ports
from agent0es.handlers.serving import serve
from agent0es.log import EventLog
from agent0es.models.base import Deployment, Weights, WrongWeights
from agent0es.models.made_once import sha256_of
from agent0es.models.scripted import ScriptedBackend
from tests.support import world


class Careful(ScriptedBackend):
    """Compares a file with its hash, as an engine does when it loads it."""

    served: str | None = None

    async def deploy(self, deployment: Deployment) -> None:
        path = deployment.merged_gguf
        assert path is not None
        self.served = sha256_of(path) if path.is_file() else None
        if self.served != deployment.merged_sha256:
            raise WrongWeights(f"{path}: its sha256 is {self.served}, but should be {deployment.merged_sha256}")


@pytest.fixture(scope="module")
def trained(
    tiny_gguf: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ev.AdapterTrained, Mapping[str, bytes]]:
    """The event of a training, and its files."""
    folder = tmp_path_factory.mktemp("trained")
    rows = [{"prompt": f"Q{n}? ", "segments": [["yes", True], ["<|im_end|>", True]]} for n in range(8)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    job = TrainingJob(
        tiny_gguf, cache, folder / "rows.jsonl", folder / "out", 7, rank=4, learning_rate=0.02, frozen_share=0.5
    )
    made = asyncio.run(train_adapter(job, lambda progress: None))
    event = ev.AdapterTrained(
        adapter="student-1", role="student", iteration=1, path="out", steps=made.steps, loss=made.loss,
        adapter_sha256=made.adapter_sha256, merged_sha256=made.merged_sha256,
    )  # fmt: skip
    files = {str(path.relative_to(folder)): path.read_bytes() for path in job.output.rglob("*") if path.is_file()}
    return event, files


MERGED, ADAPTER, CONFIG = "out/merged.gguf", "out/adapter/adapter_model.safetensors", "out/adapter/adapter_config.json"


def cut(name: str) -> Callable[[Path], Any]:
    return lambda store: (store / name).write_bytes((store / name).read_bytes()[:1000])


def replace(name: str) -> Callable[[Path], Any]:
    """A file of the same length with one other byte in it."""
    return lambda store: (store / name).write_bytes((store / name).read_bytes()[:-500] + b"?" * 500)


def remove(name: str) -> Callable[[Path], Any]:
    return lambda store: (store / name).unlink()


def deploy(store: Path, base: Path, trained: tuple[ev.AdapterTrained, Mapping[str, bytes]], *harm: Any) -> Any:
    """What is served after harm was done to the files, and what the log then says."""
    event, files = trained
    for name, content in files.items():
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_bytes(content)
    for one in harm:
        one(store)
    model = Careful(world.respond, weights=Weights("tiny", base, sha256_of(base)))
    state = RunState(adapters={"student-1": Adapter("student", 1, trained=event, outcome="trained")})
    said: list[Any] = []

    async def record(events: Any, *, last: bool = False) -> Any:
        said.extend(one.event for one in events)

    with EventLog.open(":memory:") as log:
        world.begin(log, "r")
        made = world.ports(store, log, "r", world.configured())
        models = {"models": {"teacher": model, "student": model}}
        ports = Ports(**{**{name: getattr(made, name) for name in Ports.__slots__}, **models})
        asyncio.run(serve(ports, state, ["student-1"], record))
    return model.served, said


@pytest.mark.parametrize("harm", [cut(MERGED), replace(MERGED), remove(MERGED)])
def test_a_merged_file_is_made_again_and_the_log_says_so(
    tmp_path: Path, tiny_gguf: Path, trained: Any, harm: Any
) -> None:
    served, said = deploy(tmp_path, tiny_gguf, trained, harm)
    assert served == trained[0].merged_sha256
    [retried] = said
    assert retried.name == "student-1" and "but should be" in retried.error
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["adapter", "merged.gguf"]


def test_what_is_as_it_was_is_served_without_a_word(tmp_path: Path, tiny_gguf: Path, trained: Any) -> None:
    assert deploy(tmp_path, tiny_gguf, trained) == (trained[0].merged_sha256, [])
    assert deploy(tmp_path, tiny_gguf, trained, remove(ADAPTER)) == (trained[0].merged_sha256, [])


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ((remove(MERGED), remove(ADAPTER)), "can't be made again, because .*safetensors is missing"),
        ((cut(MERGED), cut(ADAPTER)), "safetensors has sha256 [0-9a-f]+, but should"),
        ((remove(MERGED), replace(ADAPTER)), "safetensors has sha256 [0-9a-f]+, but should"),
        ((remove(MERGED), remove(CONFIG)), "not a readable adapter: FileNotFoundError"),
        ((remove(MERGED), cut(CONFIG), replace(CONFIG)), "not a readable adapter"),
        (
            (remove(MERGED), lambda store: (store / CONFIG).write_text('{"r": 4, "lora_alpha": 1}')),
            "was made again from the adapter, but is not what was trained",
        ),
    ],
)
def test_what_can_not_be_made_again_as_it_was_is_not_served(
    tmp_path: Path, tiny_gguf: Path, trained: Any, harm: Any, said: str
) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        deploy(tmp_path, tiny_gguf, trained, *harm)
    assert "\n" not in str(caught.value)
