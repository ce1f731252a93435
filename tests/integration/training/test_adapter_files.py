"""No file is served but the one that the log speaks of; a merged file is made again from its adapter."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent0es.configuration import TrainingSettings
from agent0es.domain import events as ev
from agent0es.domain.adapter import Adapter
from agent0es.domain.run import RunState
from agent0es.errors import StoreError
from agent0es.handlers.serving import Serving
from agent0es.log import EventLog
from agent0es.models.artifacts import compare
from agent0es.models.base import Deployment, Weights, WrongWeights
from agent0es.models.made_once import sha256_of
from agent0es.models.scripted import ScriptedBackend
from agent0es.training.base import TrainingJob
from agent0es.training.packed import Packed
from agent0es.training.trainer import ProcessTrainer
from tests.support import world


class Careful(ScriptedBackend):
    """Compares a file with its hash, as an engine does when it loads it."""

    served: str | None = None
    takes = "merged.gguf"

    async def deploy(self, deployment: Deployment) -> None:
        path, wanted = deployment.artifacts.folder / self.takes, deployment.artifacts.files[self.takes]
        verdict, self.served = compare(path, wanted)
        if verdict != "same":
            raise WrongWeights(f"{path}: its sha256 is {self.served}, but should be {wanted}")


@pytest.fixture(scope="module")
def trained(
    tiny_gguf: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ev.AdapterTrained, Mapping[str, bytes]]:
    """The event of a training, and its files."""
    folder = tmp_path_factory.mktemp("trained")
    rows = [{"prompt": f"Q{n}? ", "segments": [["yes", True], ["<|im_end|>", True]]} for n in range(8)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    settings = TrainingSettings(rank=4, learning_rate=0.02, frozen_share=0.5)
    base = Weights("tiny", tiny_gguf, sha256_of(tiny_gguf))
    job = TrainingJob(base, folder / "rows.jsonl", folder / "out", 7, settings)
    made = asyncio.run(ProcessTrainer(Packed(), cache).train(job, lambda progress: None))
    event = ev.AdapterTrained(
        adapter="student-1", role="student", iteration=1, path="out", steps=made.steps, loss=made.loss,
        files=dict(made.artifacts.files),
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


def deploy(
    store: Path,
    base: Path,
    trained: tuple[ev.AdapterTrained, Mapping[str, bytes]],
    *harm: Any,
    takes: str = "merged.gguf",
) -> Any:
    """What is served after harm was done to the files, and what the log then says."""
    event, files = trained
    for name, content in files.items():
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_bytes(content)
    for one in harm:
        one(store)
    model = Careful(world.respond, weights=Weights("tiny", base, sha256_of(base)))
    model.takes = takes
    state = RunState(adapters={"student-1": Adapter("student", 1, trained=event, outcome="trained")})
    said: list[Any] = []

    async def record(events: Any, *, last: bool = False) -> Any:
        said.extend(one.event for one in events)

    with EventLog.open(":memory:") as log:
        world.begin(log, "r")
        ports = world.ports(store, log, "r", world.configured(), model)
        asyncio.run(Serving("r", ports.deployments).serve(state, ["student-1"], record))
    return model.served, said


@pytest.mark.parametrize("harm", [cut(MERGED), replace(MERGED), remove(MERGED)])
def test_a_merged_file_is_made_again_and_the_log_says_so(
    tmp_path: Path, tiny_gguf: Path, trained: Any, harm: Any
) -> None:
    served, said = deploy(tmp_path, tiny_gguf, trained, harm)
    assert served == trained[0].files["merged.gguf"]
    [retried] = said
    assert retried.name == "student-1" and "but should be" in retried.error
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["adapter", "lora.gguf", "merged.gguf"]


@pytest.mark.parametrize("harm", [cut("out/lora.gguf"), replace("out/lora.gguf"), remove("out/lora.gguf")])
def test_so_are_the_matrices_beside_a_base(tmp_path: Path, tiny_gguf: Path, trained: Any, harm: Any) -> None:
    served, [retried] = deploy(tmp_path, tiny_gguf, trained, harm, takes="lora.gguf")
    assert served == trained[0].files["lora.gguf"]
    assert "lora.gguf" in retried.error


def test_an_adapter_of_an_older_log_is_made_again_as_it_was(tmp_path: Path, tiny_gguf: Path, trained: Any) -> None:
    """Before there was a LoRA GGUF."""
    event, files = trained
    older = {name: sha256 for name, sha256 in event.files.items() if name != "lora.gguf"}
    old = event.model_copy(update={"files": older}), {name: one for name, one in files.items() if "lora" not in name}
    served, _ = deploy(tmp_path, tiny_gguf, old, remove(MERGED))
    assert served == older["merged.gguf"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["adapter", "merged.gguf"]


def test_what_is_as_it_was_is_served_without_a_word(tmp_path: Path, tiny_gguf: Path, trained: Any) -> None:
    assert deploy(tmp_path, tiny_gguf, trained) == (trained[0].files["merged.gguf"], [])
    assert deploy(tmp_path, tiny_gguf, trained, remove(ADAPTER)) == (trained[0].files["merged.gguf"], [])


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ((remove(MERGED), remove(ADAPTER)), "can't be made again, because .*safetensors is missing"),
        ((cut(MERGED), cut(ADAPTER)), "safetensors: its sha256 is [0-9a-f]+, but should"),
        ((remove(MERGED), replace(ADAPTER)), "safetensors: its sha256 is [0-9a-f]+, but should"),
        ((remove(MERGED), remove(CONFIG)), "can't be made again, because .*config.json is missing"),
        ((remove(MERGED), replace(CONFIG)), "config.json: its sha256 is [0-9a-f]+, but should"),
    ],
)
def test_what_can_not_be_made_again_as_it_was_is_not_served(
    tmp_path: Path, tiny_gguf: Path, trained: Any, harm: Any, said: str
) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        deploy(tmp_path, tiny_gguf, trained, *harm)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (remove(CONFIG), "not a readable adapter: FileNotFoundError"),
        (replace(CONFIG), "not a readable adapter"),
        (
            lambda store: (store / CONFIG).write_text('{"peft_type": "LORA", "r": 4, "lora_alpha": 1}'),
            "was made again, but is not what was trained",
        ),
    ],
)
def test_nor_is_one_whose_configuration_has_no_hash_in_the_log(
    tmp_path: Path, tiny_gguf: Path, trained: Any, harm: Any, said: str
) -> None:
    """As those of before AdapterTrained@2."""
    event, files = trained
    hashes = {name: sha256 for name, sha256 in event.files.items() if f"out/{name}" != CONFIG}
    old = event.model_copy(update={"files": hashes}), files
    assert deploy(tmp_path, tiny_gguf, old, remove(MERGED))[0] == hashes["merged.gguf"]
    with pytest.raises(StoreError, match=said):
        deploy(tmp_path, tiny_gguf, old, remove(MERGED), harm)
