"""The trainer as a process."""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from agent0es.configuration import TrainingSettings
from agent0es.errors import StoreError
from agent0es.models import child_process
from agent0es.models.artifacts import CONFIG, LORA_GGUF, MERGED, WEIGHTS
from agent0es.models.base import Weights
from agent0es.models.made_once import sha256_of
from agent0es.training.base import (
    ProgressCallback,
    Trained,
    TrainerLost,
    TrainerOutOfMemory,
    TrainingError,
    TrainingJob,
)
from agent0es.training.packed import Packed
from agent0es.training.trainer import ProcessTrainer
from tests.support.small_disk import small_disk


def rows(path: Path, count: int, text: str = "yes") -> Path:
    with path.open("w") as file:
        for number in range(count):
            row = {"prompt": f"Q{number}? ", "segments": [[text, True], [" seen", False], ["<|im_end|>", True]]}
            file.write(json.dumps(row) + "\n")
    return path


@pytest.fixture
def job(tiny_gguf: Path, cache: Path, tmp_path: Path) -> dict[str, Any]:
    return {
        "base": Weights("tiny", tiny_gguf, sha256_of(tiny_gguf)),
        "cache": cache,
        "dataset": rows(tmp_path / "rows.jsonl", 32),
        "output": tmp_path / "out",
        "seed": 7,
        "rank": 4,
        "learning_rate": 0.02,
        "epochs": 6,
    }


def train(job: dict[str, Any], on_progress: ProgressCallback, **changes: Any) -> Coroutine[Any, Any, Trained]:
    given = {**job, **changes}
    settings = {key: given.pop(key) for key in TrainingSettings.model_fields.keys() & given.keys()}
    trainer = ProcessTrainer(Packed(), given.pop("cache"))
    return trainer.train(TrainingJob(settings=TrainingSettings(**settings), **given), on_progress)


async def run(job: dict[str, Any], **changes: Any) -> tuple[Trained, list[dict[str, Any]]]:
    progress: list[dict[str, Any]] = []
    return await train(job, lambda message: progress.append(dict(message)), **changes), progress


@pytest.mark.parametrize("base", ["tiny", "tiny_qwen2"])
async def test_a_job_reports_progress_and_leaves_an_adapter_that_peft_reads(
    job: dict[str, Any], base: str, request: pytest.FixtureRequest
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    gguf: Path = request.getfixturevalue(f"{base}_gguf")
    job["base"] = Weights(base, gguf, sha256_of(gguf))
    trained, progress = await run(job, gradient_accumulation=2)
    assert trained.steps == len(trained.loss) == len(progress) == 12
    assert [message["step"] for message in progress] == list(range(1, 13))
    assert all(message.keys() >= {"steps", "loss", "tokens_per_second", "eta_seconds"} for message in progress)
    assert trained.loss[-1] < trained.loss[0] / 2
    assert trained.examples == 32
    assert set(trained.phases) == {"import", "load", "train", "merge"}
    assert sorted(trained.artifacts.files) == [CONFIG, WEIGHTS, LORA_GGUF, MERGED]
    model = AutoModelForCausalLM.from_pretrained(request.getfixturevalue(f"{base}_dir"), dtype=torch.float32)
    loaded = PeftModel.from_pretrained(model, trained.artifacts.peft)
    assert any(bool(p.abs().sum() > 0) for name, p in loaded.named_parameters() if "lora_B" in name)


async def test_frozen_layers_are_in_neither_the_adapter_nor_changed_in_the_merged_file(
    job: dict[str, Any], tiny_gguf: Path
) -> None:
    from gguf import GGUFReader
    from safetensors.torch import load_file

    trained, _ = await run(job, frozen_share=0.5)
    tensors = load_file(trained.artifacts.folder / WEIGHTS)
    assert {name.split(".")[4] for name in tensors} == {"1"}
    assert json.loads((trained.artifacts.folder / CONFIG).read_text())["layers_to_transform"] == [1]
    base, merged = (
        {tensor.name: tensor.data.tobytes() for tensor in GGUFReader(file).tensors}
        for file in (tiny_gguf, trained.artifacts.merged)
    )
    assert {name.split(".")[1] for name in base if base[name] != merged[name]} == {"1"}


async def test_the_same_job_gives_the_same_adapter(job: dict[str, Any], tmp_path: Path) -> None:
    first, _ = await run(job, epochs=1, deterministic=True)
    again, _ = await run(job, epochs=1, deterministic=True, output=tmp_path / "again")
    other, _ = await run(job, epochs=1, deterministic=True, output=tmp_path / "other", seed=8)
    assert first.artifacts.files == again.artifacts.files
    moved = {name for name, sha256 in other.artifacts.files.items() if first.artifacts.files[name] != sha256}
    assert moved == {WEIGHTS, LORA_GGUF, MERGED}


async def test_a_failure_says_why(job: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="c_attn: choose from q_proj"):
        await run(job, target_modules=("c_attn",))
    with pytest.raises(TrainingError, match="none of 3 examples can be used"):
        await run(job, dataset=rows(tmp_path / "empty.jsonl", 3, text="much too long"), max_tokens=4)
    long, short = (rows(tmp_path / f"{text[:4]}.jsonl", 3, text=text) for text in ("much too long " * 20, "in"))
    (tmp_path / "both.jsonl").write_bytes(long.read_bytes() + short.read_bytes())
    few = r"3 of 6 examples can be used, .* training.max_tokens \(80\) .*; training.minimum_examples is 4"
    with pytest.raises(TrainingError, match=few):
        await run(job, dataset=tmp_path / "both.jsonl", max_tokens=80, minimum_examples=4)


async def test_a_trainer_that_is_killed_alone_leaves_nothing_that_looks_whole(job: dict[str, Any]) -> None:
    """E.g. for want of memory; the next job removes what it left."""

    def kill(progress: object) -> None:
        [trainer] = trainers(job["output"])
        os.kill(int(trainer), signal.SIGKILL)

    (job["output"] / "adapter").mkdir(parents=True)
    (job["output"] / ".merged.gguf-1234").touch()
    with pytest.raises(TrainerLost, match="ended by SIGKILL, which the system sends when memory runs out"):
        await train(job, kill)
    trained, _ = await run(job, epochs=1)
    assert names(trained.artifacts.folder) == ["adapter", "lora.gguf", "merged.gguf"]


@pytest.mark.slow
async def test_a_trainer_killed_at_random_moments_makes_the_same_adapter(job: dict[str, Any]) -> None:
    """While it imports, loads, trains and saves; the named points are in test_checkpoints.py."""
    job |= {"epochs": 30, "dropout": 0.1, "deterministic": True}
    begin = time.monotonic()
    whole, _ = await run(job, output=job["output"].with_name("whole"))
    seconds = time.monotonic() - begin
    draw = random.Random(9)

    async def kill_in(delay: float) -> None:
        await asyncio.sleep(delay)
        for trainer in trainers(job["output"]):
            os.kill(int(trainer), signal.SIGKILL)

    for _ in range(8):
        killer = asyncio.create_task(kill_in(draw.uniform(0, seconds)))
        with contextlib.suppress(TrainerLost):
            await run(job)
        killer.cancel()
    trained, _ = await run(job)
    assert (trained.artifacts.files, trained.loss) == (whole.artifacts.files, whole.loss)


async def test_a_trainer_that_is_stopped_is_ended(job: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "STALLED_SECONDS", 2)

    def stop(progress: object) -> None:
        [trainer] = trainers(job["output"])
        os.kill(int(trainer), signal.SIGSTOP)

    with pytest.raises(TrainerLost, match="made no progress for 2 s and was ended"):
        await train(job, stop, epochs=100_000)
    assert not trainers(job["output"])
    assert names(job["output"].parent) == [".out.training", "rows.jsonl"], "what it can be gone on with"
    ProcessTrainer(Packed(), job["cache"]).forget(job["output"])
    assert names(job["output"].parent) == ["rows.jsonl"], "nothing is left beside it either"


async def test_a_training_that_diverges_fails_and_says_at_which_step(job: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match=r"at step [0-9]+ of .* not a finite number.* lower training.learning_rate"):
        await run(job, learning_rate=1e30, warmup_steps=0)
    assert not job["output"].exists()


async def test_a_trainer_without_memory_goes_on_with_fewer_examples_at_once(
    job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real limit: with torch in it there is room for a few of these texts, and not for eight."""
    rows(job["dataset"], 8, text="yes " * 1500)
    job |= {"max_tokens": 10_000, "epochs": 1, "deterministic": True}
    start = asyncio.create_subprocess_exec

    def limited(*argv: Any, **rest: Any) -> Any:
        return start("prlimit", "--as=1080000000", *argv, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "create_subprocess_exec", limited)
        with pytest.raises(TrainerOutOfMemory, match="ran out of memory"):
            await run(job)
        trained, _ = await run(job, micro_batch=1)
    whole, _ = await run(job, output=job["output"].with_name("whole"))
    assert trained.loss == pytest.approx(whole.loss, abs=1e-4), "the step is the same"


@pytest.mark.parametrize(("before", "raised"), [("{}", TrainerLost), ('{"compares": 8}', TrainerOutOfMemory)])
async def test_fewer_at_once_help_also_before_the_first_step_where_the_policy_is_asked(
    job: dict[str, Any], before: str, raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They don't where the model itself has no room."""
    start = asyncio.create_subprocess_exec
    code = f"print({before!r}, flush=True); raise MemoryError"

    def dying(program: str, *_: Any, **rest: Any) -> Any:
        return start(program, "-c", code, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "create_subprocess_exec", dying)
        with pytest.raises(raised, match="ran out of memory: MemoryError"):
            await run(job)


async def test_a_full_disk_is_no_fault_of_the_job(job: dict[str, Any], tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", 64) as disk,
        pytest.raises(StoreError, match="the disk is full; free some space"),
    ):
        await run(job, epochs=1, output=disk / "out")


async def test_cancelling_kills_the_trainer(job: dict[str, Any]) -> None:
    started = asyncio.Event()
    task = asyncio.create_task(train(job, lambda _: started.set(), epochs=100_000))
    await asyncio.wait_for(started.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not trainers(job["output"])
    assert not list((job["output"].parent / ".out.training").glob("*.draft"))


def test_the_trainer_ends_with_its_parent(job: dict[str, Any]) -> None:
    code = f"""
    import asyncio, os, signal
    from pathlib import Path
    from agent0es.configuration import TrainingSettings
    from agent0es.models.base import Weights
    from agent0es.training.base import TrainingJob
    from agent0es.training.packed import Packed
    from agent0es.training.trainer import ProcessTrainer
    job = TrainingJob(base=Weights("tiny", Path({str(job["base"].path)!r}), "-"), seed=1,
                      settings=TrainingSettings(epochs=100_000),
                      dataset=Path({str(job["dataset"])!r}), output=Path({str(job["output"])!r}))
    trainer = ProcessTrainer(Packed(), Path({str(job["cache"])!r}))
    asyncio.run(trainer.train(job, lambda message: os.kill(os.getpid(), signal.SIGKILL)))
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False).returncode == -9
    deadline = time.monotonic() + 5
    while trainers(job["output"]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not trainers(job["output"])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def trainers(output: Path) -> list[str]:
    """Trainers that run with this output folder, by their job file."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            arguments = (process / "cmdline").read_text(errors="replace").split("\0")
            if "agent0es.training" in arguments and str(output) in Path(arguments[-2]).read_text():
                found.append(process.name)
        except OSError:
            continue
    return found
