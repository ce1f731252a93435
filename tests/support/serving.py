"""A real service at a free port: `agent0es serve` in a process of its own, or in a thread with models of a test."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import uvicorn

from agent0es.configuration import load_configuration
from agent0es.log import EventLog
from agent0es.projections import PROJECTIONS_FILE, Projections
from agent0es.rollouts.routing import Router
from agent0es.service.app import create_app
from agent0es.service.connections import Connection
from agent0es.service.context import Service
from agent0es.service.security import Access
from agent0es.service.serving import Server

ROOT = Path(__file__).parents[2]
SECONDS = 300.0
"""That a busy machine may take."""


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
            if not line or time.monotonic() > until:
                process.kill()
                raise AssertionError(f"it does not listen: {line}{process.communicate()[1]}")
        yield Served(found[1], process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@contextmanager
def answering(folder: Path, *make: Callable[[EventLog], Router], access: Access | None = None) -> Iterator[str]:
    """A service in a thread of this process, with the router that `make` gives, at a real port. Gives its URL."""
    ready: Queue[tuple[str, Callable[[], object]]] = Queue()

    async def run() -> None:
        with EventLog.open(folder / "log.db") as log, Projections.open(log, folder / PROJECTIONS_FILE) as tables:
            router = make[0](log) if make else None
            service = Service(folder, load_configuration(environment={}), log, router, tables)
            listening = socket.create_server(("127.0.0.1", 0))
            app = create_app(service, access or Access())
            config = uvicorn.Config(app, http=Connection, ws="none", lifespan="off", log_config=None)
            server = Server(config, service, lambda: ready.put((f"http://127.0.0.1:{port}", stop)))
            port, loop = listening.getsockname()[1], asyncio.get_running_loop()

            def stop() -> None:
                loop.call_soon_threadsafe(server.stop)

            await server.serve(sockets=[listening])
            await service.end()

    with ThreadPoolExecutor(1) as pool:
        ran = pool.submit(asyncio.run, run())
        while ready.empty() and not ran.done():
            time.sleep(0.01)
        if ran.done():
            ran.result()
        url, stop = ready.get()
        try:
            yield url
        finally:
            stop()
            ran.result(timeout=SECONDS)
