"""The sandbox's processes as seen from outside."""

import os
from pathlib import Path

PYTHON = [b"-s", b"-S", b"-P", b"-B", b"-c"]
"""How a worker is started. What it forks has its command line."""


def workers() -> dict[int, list[int]]:
    """This process's sandbox workers, each with the supervisors of the calls that run under it."""
    parents, python = {}, set()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            arguments = (place / "cmdline").read_bytes().split(b"\0")
        except (OSError, IndexError):
            continue
        parents[int(place.name)] = parent
        if arguments[1:6] == PYTHON:
            python.add(int(place.name))
    mine = [one for one in python if parents[one] not in python and _is_below(one, parents)]
    return {worker: [one for one in python if parents[one] == worker] for worker in mine}


def _is_below(process: int, parents: dict[int, int]) -> bool:
    while process in parents:
        process = parents[process]
        if process == os.getpid():
            return True
    return False
