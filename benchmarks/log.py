"""How fast the log appends, compared with the eventsourcing library's own SQLite recorder and with raw sqlite3.

    python benchmarks/log.py [--seconds 2] [--events 50000] [--folder DIR]

All on the same disk in one run, because the speed of fsync varies tenfold between disks. Everything runs with
`synchronous=FULL`: an append is on the disk when it returns. All three make the same pydantic events and store them as
JSON: the log canonically, with texts apart, hashed, chained, with an id and four indices; the library as pydantic dumps
them, with its one index; raw sqlite3 the log's ready-made bytes. Prints events/s, ratios, and bytes per event.

Then a log of `--events` events is made, one event in ten with a long text of its own, and another process verifies
it, exports it and verifies the export. Printed are events/s and the peak memory of that process.
"""

import argparse
import asyncio
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from agent0es.domain import events as ev
from agent0es.domain.prompt import Part, Prompt
from agent0es.log import EventLog, NewEvent, Recorded
from agent0es.log.transfer import verify_export

CONCURRENT = 64
BATCHES = (1, 10, 100)
PROMPT = "You solve problems with a Python tool.\n" * 12
"""Stored once, however many events refer to it."""


def model_called(number: int, text: str = "") -> ev.ModelCalled:
    """A typical event: the most frequent one and the longest."""
    return ev.ModelCalled(
        role="student",
        task=number,
        attempt=f"{number}/1",
        model="SmolLM2-135M-Instruct",
        adapter=None,
        prompt=Prompt(
            opening=(Part(role="system", text=PROMPT),),
            turns=(Part(role="user", text=f"What is {number} times 17?\n{text}"),),
            prefill=(Part(text="Answer: ", trainable=True),),
        ),
        text=f"Action: python[{number} * 17]",
        prompt_tokens=211,
        completion_tokens=14,
        finish_reason="stop",
        temperature=0.6,
        seed=number * 7919,
        mean_logprob=-0.1234,
    )


def rate(step: Callable[[], int], seconds: float) -> float:
    """Events per second; the first step warms up."""
    step()
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        count += step()
    return count / elapsed


def timed(step: Callable[[], int]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


class Log:
    """EventLog.append, batches into one stream each, as a handler does it."""

    def __init__(self, path: str | Path) -> None:
        self.log = EventLog.open(path)
        self.cause: Recorded = self.log.append(
            [NewEvent("run/bench", ev.IterationStarted(iteration=1))], handler="benchmark"
        )[0]
        self.number = 0

    def batch(self, size: int) -> list[NewEvent]:
        self.number += 1
        stream = f"attempt/bench/{self.number}"
        return [NewEvent(stream, model_called(self.number), {"seconds": 0.1234}) for _ in range(size)]

    def step(self, size: int) -> int:
        return len(self.log.append(self.batch(size), handler="benchmark", cause=self.cause))

    def fill(self, count: int) -> float:
        """Append so many events, 100 at a time; events per second."""
        start = time.perf_counter()
        for number in range(count // 100):
            texts = ["" if i % 10 else f"A task of its own, number {number}-{i}. " * 9 for i in range(100)]
            stream = f"attempt/filled/{number}"
            batch = [NewEvent(stream, model_called(number, text), {"seconds": 0.1234}) for text in texts]
            self.log.append(batch, handler="benchmark", cause=self.cause)
        return count / (time.perf_counter() - start)

    async def concurrently(self, seconds: float) -> float:
        """Events per second of coroutines that each await one append after the other."""
        end = time.perf_counter() + seconds
        count = 0

        async def work() -> None:
            nonlocal count
            while time.perf_counter() < end:
                appended = await self.log.append_async(self.batch(1), handler="benchmark", cause=self.cause)
                count += len(appended)

        start = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(CONCURRENT)))
        return count / (time.perf_counter() - start)


def in_threads(step: Callable[[int], int], seconds: float) -> float:
    """Events per second of threads that each make one append after the other."""
    end = time.perf_counter() + seconds
    counts: list[int] = []

    def work() -> None:
        count = 0
        while time.perf_counter() < end:
            count += step(1)
        counts.append(count)

    threads = [threading.Thread(target=work) for _ in range(CONCURRENT)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


def measure(path: Path) -> dict[str, float]:
    """Events per second of verifying and exporting, and this process's peak memory after each."""
    found: dict[str, float] = {}
    export = path.with_suffix(".ndjson")
    with EventLog.open(path, read_only=True) as log:
        steps = {
            "log verify": log.verify,
            "log export": lambda: log.export(export),
            "log verify --export": lambda: verify_export(export),
        }
        for name, step in steps.items():
            start = time.perf_counter()
            report = step()
            assert report.ok, report.problem
            found[name] = report.events / (time.perf_counter() - start)
            found[f"{name}, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


class Library:
    """The library's recorder, which opens the file in WAL mode and leaves synchronous at FULL."""

    def __init__(self, folder: Path) -> None:
        self.recorder = SQLiteApplicationRecorder(SQLiteDatastore(str(folder / "library.db")))
        self.recorder.create_table()
        self.number = 0

    def step(self, size: int) -> int:
        self.number += 1
        stream = uuid4()
        states = [model_called(self.number).model_dump_json().encode() for _ in range(size)]
        stored = [StoredEvent(stream, version, "ModelCalled@1", state) for version, state in enumerate(states)]
        return len(self.recorder.insert_events(stored) or ())


class Raw:
    """What the disk and SQLite allow: a table with one index, no hashes, no ids."""

    def __init__(self, folder: Path, state: bytes) -> None:
        self.connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute(
            "CREATE TABLE events (seq INTEGER PRIMARY KEY, stream TEXT, version INT, state TEXT, "
            "UNIQUE (stream, version))"
        )
        self.state = state.decode()

    def step(self, size: int) -> int:
        stream = uuid4().hex
        rows = [(stream, version, self.state) for version in range(size)]
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany("INSERT INTO events (stream, version, state) VALUES (?, ?, ?)", rows)
        self.connection.execute("COMMIT")
        return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each figure")
    parser.add_argument("--events", type=int, default=50_000, help="length of the log that is verified")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="disk to measure on")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="benchmark-log-") as name:
        folder = Path(name)
        path = folder / "log.db"
        log = Log(path)
        log.step(1)
        row = log.log.recorder.select_notifications(2, 1)[0]
        library, raw = Library(folder), Raw(folder, row.state)
        print(f"state of {len(row.state)} bytes; events/s")
        print(f"{'one commit for':22}{'agent0es':>10}{'library':>10}{'raw':>10}{'x library':>11}{'x raw':>8}")
        single = 0.0
        for size in BATCHES:
            ours, theirs, bare = (
                rate(lambda step=step, size=size: step(size), options.seconds)  # type: ignore[misc]
                for step in (log.step, library.step, raw.step)
            )
            single = theirs if size == 1 else single
            rates = f"{ours:>10,.0f}{theirs:>10,.0f}{bare:>10,.0f}"
            print(f"{size:>4} events{'':11}{rates}{ours / theirs:>11.2f}{ours / bare:>8.2f}")
        together = asyncio.run(log.concurrently(options.seconds))
        threads = in_threads(log.step, options.seconds)
        theirs = in_threads(library.step, options.seconds)
        for name, ours in (("awaiting", together), ("threads", threads)):
            print(f"{CONCURRENT:>4} {name + ', 1 each':17}{ours:>10,.0f}{theirs:>10,.0f}{'':10}{ours / theirs:>11.2f}")
        head = log.log.head()
        log.log.close()
        size = path.stat().st_size
        print(f"{size / head:,.0f} bytes per event on disk, indices included, in {head:,} events")
        memory = Log(":memory:")
        cost = min(timed(lambda: memory.step(100)) for _ in range(50)) / 100
        print(
            f"{cost * 1e6:.0f} µs per event for making, mapping, hashing and inserting, without a disk, 100 at a time"
        )
        long = Log(folder / "long.db")
        print(f"{options.events:,} events in one log: appended at {long.fill(options.events):,.0f} events/s")
        long.log.close()
        command = [sys.executable, __file__, "--measure", str(folder / "long.db")]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for name in ("log verify", "log export", "log verify --export"):
            print(f"{name:22}{found[name]:>10,.0f} events/s, {found[name + ', MB']:,.0f} MB at most")


if __name__ == "__main__":
    main()
