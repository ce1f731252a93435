"""What benchmarks of hours have in common: runs that are found again, and go on where they were cut off."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent0es.configuration import Configuration

Row = Mapping[str, Any]

COMMAND = (sys.executable, "-m", "agent0es")


class OutOfTime(Exception):
    """The minutes that were given are over; what is unfinished is resumed by the same command."""


def find_run(configuration: Configuration, store: Path, parent: str | None = None) -> Row | None:
    """The run with this configuration, forked from `parent`, if it has begun."""
    wanted = configuration.model_dump(mode="json")
    for run in rows("runs", store) if (store / "log.db").exists() else ():
        if run["configuration"] == wanted and run["parent"] == parent:
            return run
    return None


def watch(words: Sequence[str], store: Path, ends: float) -> None:
    """Do it, with its progress in the terminal. Raises OutOfTime at `ends`, of the monotonic clock, and where somebody
    stops it; ends where it fails, which it has said."""
    process = subprocess.Popen([*COMMAND, *words, "--store", str(store)], stdout=sys.stderr)
    try:
        code = process.wait(max(1.0, ends - time.monotonic()))
    except (KeyboardInterrupt, subprocess.TimeoutExpired) as error:
        process.terminate()  # SIGINT is ignored by what a script starts in the background
        process.wait()
        raise OutOfTime from error
    if code:
        sys.exit(code)


def rows(command: str, store: Path, *words: str) -> list[Row]:
    """What a command prints, an object a line. Ends where it fails, which it has said."""
    whole = [*COMMAND, command, *words, "--store", str(store), "--json"]
    done = subprocess.run(whole, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return [json.loads(line) for line in done.stdout.splitlines()]
