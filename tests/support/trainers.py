"""Trainers that are killed, each forked from a process that has imported torch: `python -m tests.support.trainers`."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def train_and_die(job: Path, points: Sequence[str]) -> list[tuple[int, list[dict[str, Any]]]]:
    """Run a job once for each crash point, "" for none. Gives the exit codes, negative for signals, with what each
    said."""
    arguments = [sys.executable, "-m", "tests.support.trainers", str(job), *points]
    done = subprocess.run(arguments, cwd=ROOT, check=True, capture_output=True, text=True)
    lives: list[tuple[int, list[dict[str, Any]]]] = []
    said: list[dict[str, Any]] = []
    for message in map(json.loads, done.stdout.splitlines()):
        if "ended" in message:
            lives.append((message["ended"], said))
            said = []
        else:
            said.append(message)
    return lives


def main(job: Path, points: Sequence[str]) -> None:
    import torch

    from agent0es import crash_points
    from agent0es.training.process import main as train

    torch.set_num_threads(1)  # other threads would not survive the fork
    for name in ("network", "packed", "methods.rft", "export.gguf"):
        import_module(f"agent0es.training.{name}")
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
    optimizer.step()  # which imports what every child would import again
    for point in points:
        child = os.fork()
        if child == 0:
            if point:
                os.environ[crash_points.VARIABLE] = point
            train(job)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps({"ended": code}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
