"""An adapter that is really trained on noise is refused; what the same practice teaches when it is rightly told."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.package import install

ROOT = Path(__file__).parents[2]
SETTINGS = (
    "training.method=noise",
    "execution.tasks_per_iteration=36",
    "training.minimum_examples=4",
    "training.epochs=3",
    "evaluation.practised_problems=6",
    "evaluation.held_out_problems=6",
)
NOISE = """
from agent0es.training.examples import read_rows, tokenise
from agent0es.training.methods.base import Unit
from agent0es.training.methods.rft import Rft


class Noise(Rft):
    \"\"\"Right attempts, each under another task's prompt.\"\"\"

    name = "noise"

    def read(self, dataset, template, tokenizer, settings):
        rows = read_rows(dataset, template)
        wrong = rows[len(rows) // 2 :] + rows[: len(rows) // 2]
        mixed = [(prompt, said) for (prompt, _), (_, said) in zip(rows, wrong)]
        examples = [tokenise(tokenizer, *row) for row in mixed]
        return [Unit((example,), float(example.labels)) for example in examples]
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_adapter_trained_on_noise_is_refused(
    tmp_path: Path, base_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package := tmp_path / "package").mkdir()
    install(monkeypatch, package, "noisy", NOISE, {"agent0es.methods": {"noise": "Noise"}})
    (store := tmp_path / "store").mkdir()
    (store / "base").symlink_to(base_cache)

    def agent0es(*words: str) -> None:
        whole = [sys.executable, "-m", "tests.support.few_families", *words, "--store", str(store)]
        path = os.pathsep.join([str(package), str(ROOT)])
        subprocess.run(whole, check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.DEVNULL)

    def adapters() -> dict[str, dict[str, Any]]:
        whole = [sys.executable, "-m", "agent0es", "show", "latest", "--store", str(store), "--json"]
        shown = json.loads(subprocess.check_output(whole, cwd=ROOT))
        return {adapter["adapter"]: adapter for adapter in shown["adapters"]}

    agent0es("run", *(part for setting in SETTINGS for part in ("--set", setting)))
    agent0es("train", "latest", "--method", "rft", "--name", "taught")
    noise, taught = adapters()["student-1"], adapters()["taught"]
    assert noise["status"] == "rejected" and "worse on" in noise["reason"]
    assert noise["share"] < 0.2 < 0.5 < taught["share"], "it was the noise, and not too little practice"
