"""The whole loop on a llama-server: practice, training, and the adapter served there, where it is better than its base.

Some minutes on 2 cores. `pytest -m slow -s` prints the scores.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent0es.domain import events as ev
from agent0es.log import EventLog
from agent0es.models.weights import EMBEDDED_NAME, find_weights

pytest.importorskip("xllamacpp", reason="the extra dev has it")
from tests.support.llama_router import router

SETTINGS = {
    "training.roles": "[student]",
    "training.minimum_examples": "4",
    "training.epochs": "4",
    "execution.iterations": "1",
    "execution.tasks_per_iteration": "32",
    "execution.attempts": "2",
    "evaluation.practised_problems": "1",
    "evaluation.held_out_problems": "1",
}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_an_adapter_is_trained_and_served_there(tmp_path: Path) -> None:
    presets = tmp_path / "presets.ini"
    before = f"[smol]\nmodel = {find_weights(EMBEDDED_NAME).path}\nc = 16384\n"
    presets.write_text(before)
    with router(presets) as url:
        settings = dict(SETTINGS)
        for role in ("teacher", "student"):
            server = {"backend": "openai-compatible", "base_url": url, "name": "smol"}
            options = json.dumps({"presets": str(presets), "weights": EMBEDDED_NAME, "at_once": 8})
            settings |= {f"models.{role}.{key}": value for key, value in {**server, "options": options}.items()}
        words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        command = [sys.executable, "-m", "agent0es", "run", "--store", str(tmp_path / "store"), "--json", *words]
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        assert ran.returncode == 0, ran.stdout
    with EventLog.open(tmp_path / "store" / "log.db", read_only=True) as log:
        events = [recorded.event for recorded in log.read()]
        assert log.verify().ok
    [trained] = [event for event in events if isinstance(event, ev.AdapterTrained)]
    assert "lora.gguf" in trained.files
    [evaluated] = [event for event in events if isinstance(event, ev.AdapterEvaluated)]
    shares = {(score.arm, score.split): score.correct / score.problems for score in evaluated.scores}
    for (arm, split), share in shares.items():
        print(f"{arm:30} {split:10} {share:.3f}")
    calls = [event for event in events if isinstance(event, ev.ModelCalled)]
    assert any(call.adapter == "student-1" for call in calls), "it answered"
    said = [
        call for call in calls if call.role == "student" and call.text
    ]  # of what is cut off at once it gives no token
    assert all(call.tokens is not None and call.tokens.ids for call in said)
    assert shares["student-1", "practised"] > shares["base-zero-shot", "practised"]
    gone = [event for event in events if isinstance(event, ev.AdapterRejected)]
    assert ("[student-1-" in presets.read_text()) == (not gone), "the one in use stays served"
