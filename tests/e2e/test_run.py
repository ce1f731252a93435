"""The whole loop on the real embedded model: its engine is killed in practice and in evaluation, and all of it in the
middle of training, where it is taken up again.

All is real but the number of task families, of which an evaluation asks each: hundreds are asked with `-m slow`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent0es.domain import events as ev
from agent0es.log import EventLog
from tests.support.engines import processes

ROOT = Path(__file__).parents[2]
SETTINGS = (
    "execution.tasks_per_iteration=24",
    "execution.iterations=1",
    "training.minimum_examples=4",
    "training.epochs=3",
    "evaluation.practised_problems=4",
    "evaluation.held_out_problems=4",
)
WHOLE = ("evaluation.practised_problems=1", "evaluation.held_out_problems=1")
"""With the hundreds of families that there are."""


def command(module: str, store: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, "run", "--store", str(store), "--json", *arguments]


def kill_engine(parent: int, gguf: str) -> None:
    """The engine that serves this file dies."""
    [engine] = [pid for pid, line in processes("agent0es.models.engine_process", parent).items() if gguf in line]
    os.kill(engine, signal.SIGKILL)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("module", "more"),
    [
        pytest.param("tests.support.few_families", (), id="few families"),
        pytest.param("agent0es", WHOLE, id="all families", marks=pytest.mark.slow),
    ],
)
def test_the_loop_on_the_real_model_survives_kills(
    tmp_path: Path, base_cache: Path, module: str, more: tuple[str, ...]
) -> None:
    (tmp_path / "base").symlink_to(base_cache)
    settings = [part for setting in (*SETTINGS, *more) for part in ("--set", setting)]
    process = subprocess.Popen(command(module, tmp_path, *settings), cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (tmp_path / "log.db").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.1)
    with EventLog.open(tmp_path / "log.db", read_only=True) as log:

        def wait_for(kind: str, least: int) -> None:
            while len(list(log.read(types=[kind]))) < least:
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.2)

        wait_for("SolutionSubmitted", 8)
        kill_engine(process.pid, "SmolLM2")
        wait_for("TrainingStarted", 1)
        time.sleep(3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = list(log.read())
        assert not isinstance(before[-1].event, ev.AdapterTrained), "the kill came too late to test anything"

        process = subprocess.Popen(
            command(module, tmp_path, "--resume", "latest"), cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 420
        wait_for("AdapterTrained", 1)
        answered = len(list(log.read(types=["Verified"])))
        wait_for("Verified", answered + 4)
        kill_engine(process.pid, "SmolLM2")
        output, _ = process.communicate(timeout=420)
        assert process.returncode == 0
        assert json.loads(output.splitlines()[-1])["status"] == "completed"
        after = list(log.read())
        assert log.verify().ok
    abandoned = [r.event for r in after if isinstance(r.event, ev.AttemptAbandoned)]
    assert {event.task is None for event in abandoned if "ended with -9" in event.reason} == {True, False}
    assert [r.chain_hash for r in after[: len(before)]] == [r.chain_hash for r in before]
    events = [r.event for r in after]
    for kind in (ev.DatasetBuilt, ev.TrainingStarted, ev.AdapterTrained, ev.AdapterEvaluated, ev.RunCompleted):
        assert sum(isinstance(event, kind) for event in events) == 1, kind.__name__
    [trained] = [event for event in events if isinstance(event, ev.AdapterTrained)]
    folder = tmp_path / trained.path
    assert (folder / "merged.gguf").is_file() and (folder / "adapter" / "adapter_model.safetensors").is_file()
    adapted = json.loads((folder / "adapter" / "adapter_config.json").read_text())["layers_to_transform"]
    assert adapted == list(range(10, 30)), "training.frozen_share is a third of thirty layers"
    assert trained.loss[-1] < trained.loss[0]
    [evaluated] = [event for event in events if isinstance(event, ev.AdapterEvaluated)]
    shares = {(score.arm, score.split): score.correct / score.problems for score in evaluated.scores}
    assert shares["base-zero-shot", "practised"] < 0.2, "the base model does not know the tool format"
    assert shares["student-1", "practised"] > shares["base-zero-shot", "practised"]
    requested = {event.call for event in events if isinstance(event, ev.ToolRequested)}
    called = {event.call for event in events if isinstance(event, ev.ToolCalled)}
    assert requested == called, "every sandbox call has its outcome"
