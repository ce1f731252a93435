"""A real service in a process of its own: `agent0es serve` at a free port."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Served:
    """Where it listens, and its process."""

    url: str
    process: "subprocess.Popen[str]"

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End it. Its exit code, and what it wrote to standard error."""
        self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, errors


@contextmanager
def served(store: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Served]:
    """`agent0es serve` of a store, listening."""
    process = subprocess.Popen(
        [sys.executable, "-m", "agent0es", "serve", "--store", str(store), "--port", "0", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line, until = "", time.monotonic() + SECONDS
        while not (found := re.search(r" at (https?://\S+);", line)):
            line = process.stdout.readline()
            assert line and time.monotonic() < until, process.communicate()[1]
        yield Served(found[1], process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
