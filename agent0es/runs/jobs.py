"""The process of a job: the command as a child that stops when the job is told to, or dies."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from agent0es.domain.text import one_line, storable

JOBS = "jobs"
"""The store's folder with what jobs wrote to standard output and standard error."""
DIES_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
LONGEST_MESSAGE = 300


def job_of_this_process() -> dict[str, str]:
    """What the first event of a run says of the job that it is begun for."""
    from agent0es.configuration.loading import JOB

    job = os.environ.get(JOB, "")
    return {"job": job} if job else {}


def run_command(store: Path, job: str, command: Sequence[str]) -> tuple[int | None, str]:
    """Run it as a child. Returns its exit code, None where this process was told to stop, and its last line."""
    from agent0es.configuration.loading import JOB, SERVICE_TOKEN

    folder = store / JOBS
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, JOB: job, "AGENT0ES_STORE": str(store.absolute())}
    environment.pop(SERVICE_TOKEN, None)  # of who asks the service, not of what it starts
    told: list[int] = []
    with (folder / f"{job}.log").open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "agent0es", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            preexec_fn=_die_with_parent,
        )

        def pass_on(number: int, frame: object) -> None:
            told.append(number)
            child.send_signal(signal.SIGTERM)

        before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            code = child.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    return (None if told else code), _last_line(folder / f"{job}.log")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(DIES_WITH_PARENT, signal.SIGTERM, 0, 0, 0)


def _last_line(file: Path) -> str:
    """Of what a job wrote, without secrets. Hostile."""
    from agent0es.configuration.secrets import text_without_secrets

    with file.open("rb") as output:
        output.seek(max(0, file.stat().st_size - 8192))
        lines = [line for line in output.read().decode(errors="replace").splitlines() if line.strip()]
    return storable(one_line(text_without_secrets(lines[-1]), LONGEST_MESSAGE)) if lines else ""
