"""A trainer that is killed anywhere goes on where it was, and comes to the same adapter, to the last bit."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from agent0es.configuration import TrainingSettings
from agent0es.models.artifacts import Artifacts
from agent0es.models.base import Weights
from agent0es.models.made_once import sha256_of
from agent0es.training.base import TrainingJob
from agent0es.training.checkpoint import Checkpoints
from agent0es.training.course import Course
from agent0es.training.optimizers import optimizer_of
from agent0es.training.trainer import described
from tests.support.trainers import train_and_die

STEPS = 4
SETTINGS = TrainingSettings(rank=2, epochs=1, batch_size=4, warmup_steps=1, dropout=0.5)
"""Dropout draws from the random state, which has to be where it was."""


def make_job(folder: Path, gguf: Path, cache: Path) -> Path:
    """A job's file in a folder of its own."""
    folder.mkdir()
    rows = [
        {"prompt": f"Q{n}? ", "segments": [["yes" * (1 + n % 3), True], ["<|im_end|>", True]]} for n in range(4 * STEPS)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    base = Weights("tiny", gguf, sha256_of(gguf))
    job = TrainingJob(base, folder / "rows.jsonl", folder / "out", 7, SETTINGS, deterministic=True)
    (folder / "job").mkdir()
    file = folder / "job" / "job.json"
    file.write_text(json.dumps(described(job, cache)))
    return file


def test_a_trainer_killed_at_every_step_and_in_every_phase_makes_the_same_adapter(
    tiny_gguf: Path, cache: Path, tmp_path: Path
) -> None:
    whole = make_job(tmp_path / "whole", tiny_gguf, cache)
    [(code, said)] = train_and_die(whole, [""])
    assert code == 0

    killed = make_job(tmp_path / "killed", tiny_gguf, cache)
    points = {
        "training.step:1:alone": [0],
        **{f"training.step:2:alone#{step}": [step - 1] for step in range(1, STEPS)},
        "training.checkpoint:1:alone": [STEPS - 1],
        "adapter.written:1:alone": [STEPS - 1],
        "merge.tensor:3:alone": [STEPS],
        "": [STEPS],
    }
    lives = train_and_die(killed, [point.partition("#")[0] for point in points])
    assert [code for code, _ in lives] == [-9] * (len(points) - 1) + [0]
    begun = [[message["begun_at"] for message in said if "begun_at" in message] for _, said in lives]
    assert begun == list(points.values()), "each goes on after the last step of the one before"

    made, again = (Artifacts.measure(job.parent.parent / "out").files for job in (whole, killed))
    assert made == again and len(made) == 4
    last = lives[-1][1][-1]["done"]
    assert (last["loss"], last["tokens"]) == (said[-1]["done"]["loss"], said[-1]["done"]["tokens"])
    parts, told = ([message["part"] for message in all_of if "part" in message] for all_of in (lives[-1][1], said))
    assert parts == told, "the last says again what those before may not have been heard to say"


class OneMatrix:
    """A policy of some numbers."""

    precision = "fp32"

    def __init__(self, size: int = 3) -> None:
        self.parameters = [torch.zeros(size, size, requires_grad=True)]


@pytest.fixture
def job(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "rows.jsonl").write_text("a row\n")
    return {"dataset": str(tmp_path / "rows.jsonl"), "seed": 1, "output": "here", "micro_batch": 8}


def keep(folder: Path, job: dict[str, Any], step: int) -> Path:
    """A checkpoint after a step; its file."""
    policy = OneMatrix()
    optimizer = torch.optim.AdamW(policy.parameters)
    course = Course([0.5] * step, [1.0] * step, [{}] * step, 10 * step)
    Checkpoints(folder, job).keep(policy, optimizer, course)  # type: ignore[arg-type]
    [file] = folder.glob("*.checkpoint")
    return file


def test_a_checkpoint_takes_the_place_of_the_one_before(tmp_path: Path, job: dict[str, Any]) -> None:
    before = keep(tmp_path, job, 1)
    assert keep(tmp_path, job, 2) != before and not before.exists()
    elsewhere = {**job, "output": "there", "micro_batch": 2}
    found = Checkpoints(tmp_path, elsewhere).last()
    assert found is not None and found.course == Course([0.5] * 2, [1.0] * 2, [{}] * 2, 20)


@pytest.mark.parametrize("name", ["adamw", "adamw_8bit"])
def test_an_optimizer_goes_on_as_if_nothing_had_been(tmp_path: Path, job: dict[str, Any], name: str) -> None:
    if name == "adamw_8bit":
        pytest.importorskip("bitsandbytes", reason="the extra `quantized` is not installed")
    settings = TrainingSettings.model_validate({"optimizer": name, "learning_rate": 0.1})

    def steps(policy: OneMatrix, optimizer: torch.optim.Optimizer, first: int, last: int) -> torch.Tensor:
        [matrix] = policy.parameters
        for step in range(first, last):
            matrix.grad = torch.sin(torch.arange(matrix.numel()) + float(step)).view_as(matrix)
            optimizer.step()
        return matrix.detach().clone()

    policy = OneMatrix(96)
    optimizer = optimizer_of(policy.parameters, settings)
    steps(policy, optimizer, 0, 3)
    Checkpoints(tmp_path, job).keep(policy, optimizer, Course([0.5], [1.0], [{}], 10))  # type: ignore[arg-type]
    whole = steps(policy, optimizer, 3, 6)

    other = OneMatrix(96)
    fresh = optimizer_of(other.parameters, settings)
    found = Checkpoints(tmp_path, job).last()
    assert found is not None
    found.restore(other, fresh)  # type: ignore[arg-type]
    assert torch.equal(steps(other, fresh, 3, 6), whole)


def test_a_file_that_is_half_there_is_passed_over_for_the_one_before(tmp_path: Path, job: dict[str, Any]) -> None:
    """As after a power failure, if a disk keeps a name and not what was written."""
    before = keep(tmp_path, job, 1)
    good = before.read_bytes()
    half = keep(tmp_path, job, 2)
    half.write_bytes(half.read_bytes()[:-100])
    before.write_bytes(good)
    found = Checkpoints(tmp_path, job).last()
    assert found is not None and found.course.step == 1
    assert list(tmp_path.glob("*.checkpoint")) == [before], "what is no use is removed"


@pytest.mark.parametrize("key", ["seed", "dataset"])
def test_a_checkpoint_of_another_job_is_not_gone_on_from(tmp_path: Path, job: dict[str, Any], key: str) -> None:
    file = keep(tmp_path, job, 1)
    if key == "dataset":
        Path(job["dataset"]).write_text("another row\n")
    else:
        job[key] = 2
    assert Checkpoints(tmp_path, job).last() is None
    assert not file.exists()
