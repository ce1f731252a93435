"""Commands that only look at a store start quickly: what they do not need they do not import."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent0es.log import EventLog
from tests.support import world

ROOT = Path(__file__).parents[3]
HEAVY = "torch openvino openvino_genai sentence_transformers transformers peft faiss sympy scipy".split()
RUN = """
import sys
from agent0es.cli.main import cli
cli(sys.argv[1:], standalone_mode=False)
print("imported", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with EventLog.open(folder / "log.db") as log:
        world.begin(log, "run")
        world.complete(log, "run", folder)
    (folder / "copy").mkdir()
    shutil.copy(folder / "log.db", folder / "copy")
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["run", "--help"],
        ["runs", "--store", "."],
        ["show", "latest", "--store", "."],
        ["events", "latest", "--store", "."],
        ["sql", "FROM runs", "--store", "."],
        ["sql", "--schema"],
        ["report", "latest", "--store", "."],
        ["export", "trajectories", "latest", "--store", "."],
        ["replay", "latest", "--store", "."],
        ["diff", "latest", "latest", "--store", "."],
        ["whatif", "latest", "--set", "rewards.weights.novelty=0.5", "--store", "."],
        ["retract", "1", "--reason", "bad", "--store", "copy"],
        ["lineage", "1", "--store", "."],
        ["audit", "latest", "--store", "."],
        ["audit", "show", "1/0#1", "--store", "."],
        ["log", "verify", "--store", "."],
        ["log", "checkpoint", "--sign", "--store", "copy"],
        ["log", "export", "-o", "log.ndjson", "--store", "."],
    ],
    ids=" ".join,
)
def test_looking_imports_no_model_trainer_or_engine(store: Path, command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, *command],
        cwd=store,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    imported = done.stdout.splitlines()[-1].split()
    assert imported[0] == "imported"
    assert [name for name in HEAVY if name in imported] == []
    if command[-1] == "--help":
        assert [name for name in ("sqlalchemy", "duckdb", "pyarrow", "pydantic") if name in imported] == []
