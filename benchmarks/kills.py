"""Kills whole runs at random moments until each is completed, and counts what was lost, doubled or left behind.

    python benchmarks/kills.py FOLDER [--kills 500] [--seed 0] [--real]

Everything is real except the models' words and the number of task families (`tests/support/crashes.py`); with --real
the embedded model answers too, and the runs are those of the command line. Run it again with the same folder to resume
where it was cut off: only completed runs count, one line each in FOLDER/kills.jsonl. The store of a run with a problem
is kept, so that you can look at it.
"""

import argparse
import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
os.environ["PYTHONPATH"] = str(ROOT)  # the runs' processes need the tests' helpers too
sys.path.insert(0, str(ROOT))

from tests.integration.training.tiny_model import write_tiny_gguf  # noqa: E402
from tests.support.crashes import Killed, check, check_complete  # noqa: E402

TASKS, ITERATIONS = 8, 2
RESUME = ("run", "--resume", "latest")
SCRIPTED = {"execution.tasks_in_flight": "4"}
REAL_TASKS = 24
REAL = {
    "execution.iterations": "1",
    "execution.tasks_per_iteration": str(REAL_TASKS),
    "training.minimum_examples": "2",
    "training.epochs": "1",
    "evaluation.practised_problems": "1",
    "evaluation.held_out_problems": "1",
}
GONE_SECONDS = 5.0
"""Within this what a killed run had started must have ended."""
_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    arguments = parse()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "kills.jsonl"
    # What a killed run leaves becomes a child of this process, and is seen.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    weights = write_tiny_gguf(folder / "tiny.gguf")
    temporary = folder.resolve() / "tmp"
    temporary.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(temporary)
    while True:
        done = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        kills = sum(one["kills"] for one in done)
        if kills >= arguments.kills:
            break
        number = len(done) + 1
        rng = random.Random(f"{arguments.seed}/{number}")
        store = folder / f"run-{number}"
        shutil.rmtree(store, ignore_errors=True)  # cut off together with an earlier process of this script
        begin = time.monotonic()
        outcome = real_round(store, rng) if arguments.real else scripted_round(store, weights, rng)
        outcome["seconds"] = round(time.monotonic() - begin, 1)
        with results.open("a") as file:
            file.write(json.dumps(outcome) + "\n")
        print(f"run {number}: {kills + outcome['kills']} kills; {outcome}", flush=True)
        if not outcome["problems"]:
            shutil.rmtree(store)
    problems = [problem for one in done for problem in one["problems"]]
    attempts = sum(one["attempts"] for one in done)
    print(f"{kills} kills of {len(done)} runs with {attempts} attempts: {len(problems)} problems")
    for problem in problems:
        print(f"  {problem}")
    sys.exit(1 if problems else 0)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", action="store_true", help="The embedded model answers.")
    return parser.parse_args()


def scripted_round(store: Path, weights: Path, rng: random.Random) -> dict[str, Any]:
    """One run, killed every few events until it is completed."""
    killed = Killed(store)
    models = [
        f"models.{role}.{key}"
        for role in ("student", "teacher")
        for key in ("backend=scripted", "name=tests.support.crashes:respond", f"options={{weights: {weights}}}")
    ]
    settings = [*models, f"execution.tasks_per_iteration={TASKS}", f"execution.iterations={ITERATIONS}"]
    settings += [f"{key}={value}" for key, value in SCRIPTED.items()]
    config = ROOT / "tests" / "e2e" / "killed.yaml"
    arguments = ("run", "--config", str(config), *(part for one in settings for part in ("--set", one)))

    def start() -> int:
        at = killed.head + rng.randint(1, 60)
        # Some die at an event, some a moment later, and in training, where nothing is written, some seconds later.
        return killed.run(
            *(RESUME if killed.head else arguments),
            kill_when=lambda position, kind: position >= at or (kind == "TrainingStarted" and rng.random() < 0.5),
            delay=rng.choice([0.0, rng.uniform(0, 0.05), rng.uniform(0, 3.0)]),
        )

    return outcome_of(
        *(killed, start, TASKS, ITERATIONS), verify=lambda: killed.run("replay", "latest", "--verify") == 0
    )


def real_round(store: Path, rng: random.Random) -> dict[str, Any]:
    """One run of the command line, killed some seconds after each start until it is completed."""
    killed = Killed(store)
    new = ["run", *(part for key, value in REAL.items() for part in ("--set", f"{key}={value}"))]

    def agent0es(*arguments: str, seconds: float | None = None) -> int:
        with store.with_suffix(".out").open("a") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "agent0es", *arguments, "--store", str(store)], cwd=ROOT, stdout=out, stderr=out
            )
            try:
                return process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                return process.wait()

    def start() -> int:
        begun = (store / "log.db").exists() and bool(killed.events())
        return agent0es(*(RESUME if begun else new), seconds=rng.uniform(2, 60))

    return outcome_of(*(killed, start, REAL_TASKS, 1), verify=lambda: agent0es("replay", "latest", "--verify") == 0)


def outcome_of(
    killed: Killed, start: Callable[[], int], tasks: int, iterations: int, verify: Callable[[], bool]
) -> dict[str, Any]:
    """Start a run until it ends by itself; what was found wrong after each kill and in the end."""
    kills, problems, attempts = 0, [], 0
    try:
        while (code := start()) == -signal.SIGKILL:
            kills += 1
            problems += [f"{killed.store}: {process} outlived kill {kills}" for process in left_processes()]
            if (killed.store / "log.db").exists():
                check(killed)
        if code != 0:
            problems.append(f"{killed.store}: ended with {code}: {killed.output()[-500:]}")
        else:
            recorded = check_complete(killed, tasks, iterations)
            attempts = sum(r.event.type == "SolutionSubmitted" for r in recorded)
            if not verify():
                problems.append(f"{killed.store}: the decisions do not follow from the log")
    except AssertionError as error:
        problems.append(f"{killed.store}: {error}")
    problems += [f"{killed.store}: {process} outlived the run" for process in left_processes()]
    left = [*killed.store.rglob(".*"), *Path(os.environ["TMPDIR"]).glob("agent0es-*")]
    problems += [f"left behind: {path}" for path in left]
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return {"kills": kills, "attempts": attempts, "problems": problems}


def left_processes() -> list[str]:
    """What a run left running `GONE_SECONDS` after its end; it is killed now."""
    deadline = time.monotonic() + GONE_SECONDS
    while (left := orphans()) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in left:
        os.kill(process, signal.SIGKILL)
    return list(left.values())


def orphans() -> dict[int, str]:
    """Children of this process that it did not start, by their id; those that have ended are reaped."""
    found = {}
    for process in map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()):
        try:
            arguments = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            ended = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            continue
        if ended:
            os.waitpid(process, os.WNOHANG)
        elif "multiprocessing" not in arguments:
            found[process] = f"{process} {arguments[:120]}"
    return found


if __name__ == "__main__":
    main()
