"""How long pages take over a run of 100,000 events, as a browser asks for them: the slider, Compare and Lineage.

    python benchmarks/pages.py [--events 100000] [--store DIR]

Fills a log with one run of synthetic events (see synthetic.py), and a fork of it, unless DIR has one; serves it, and
asks for the panels at positions all over it, one after the other, then for the run beside its fork, and for the lineage
of adapters and tasks. What is measured is the whole answer over HTTP, as HTML and numbers.
CPU seconds of the service stand beside clock seconds, which say little on a machine that does other work.
"""

import argparse
import itertools
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from synthetic import APPEND, run

from agent0es.bootstrap import LOG_FILE
from agent0es.domain import events as ev
from agent0es.log import EventLog, NewEvent

ASKED = 200
CONTRACT_MS = 150.0
OTHERS, OTHERS_MS = 20, 300.0
"""Of Compare and Lineage: how often each is asked for, and how long it may take."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--store", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pages-") as folder:
        store = chosen.store or Path(folder)
        if not (store / LOG_FILE).exists():
            fill(store, chosen.events)
        measure(store)


def fill(store: Path, events: int) -> None:
    """One run of so many events: of runs one after the other, as if they were one that goes on."""
    store.mkdir(parents=True, exist_ok=True)
    with EventLog.open(store / LOG_FILE) as log:
        coming = itertools.islice(endless(), events)
        while batch := list(itertools.islice(coming, APPEND)):
            log.append(batch, handler="synthetic")
        [begun] = log.read(run="one", types=["RunStarted"])
        shared = begun.event.model_dump(exclude={"type", "version"})
        forked = ev.RunForked.model_validate({**shared, "parent": "one", "position": events // 2})
        log.append([NewEvent("run/fork", forked)], handler="synthetic")


def endless() -> "itertools.chain[NewEvent]":
    """Iterations without an end: the tasks of each part are numbered on."""
    return itertools.chain.from_iterable(part(number) for number in itertools.count())


def part(number: int) -> "list[NewEvent]":
    """Three iterations; the first part begins the run, and none ends it."""
    skipped = ("RunCompleted",) if number == 0 else ("RunStarted", "RunCompleted")
    return [moved(new, number) for new in run("one", number) if new.event.type not in skipped]


def moved(new: NewEvent, number: int) -> NewEvent:
    """The event under numbers and names of its own."""
    if number == 0:
        return new
    kept = new.event.model_dump()
    for name, by in (("task", 1920), ("iteration", 3)):
        if isinstance(kept.get(name), int):
            kept[name] += by * number
    for name in ("attempt", "call"):
        if isinstance(kept.get(name), str) and kept[name][0].isdigit():
            kept[name] = re.sub(r"^\d+", lambda found: str(int(found[0]) + 1920 * number), kept[name])
    if isinstance(kept.get("adapter"), str):
        kept["adapter"] += f"-{number}"
    kind, owner, *rest = new.stream.split("/", 2)
    name = re.sub(r"^\d+", lambda found: str(int(found[0]) + 1920 * number), rest[0]) if rest else ""
    if kind == "adapter":
        name += f"-{number}"
    stream = "/".join([kind, owner, *([name] if name else [])])
    return NewEvent(stream, type(new.event).model_validate(kept), new.measured)


@contextmanager
def served(store: Path) -> Iterator[tuple[str, int]]:
    """A service's address and process."""
    words = [sys.executable, "-m", "agent0es", "serve", "--store", str(store), "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout is not None
            found = re.search(r" at (http://\S+);", service.stdout.readline())
            assert found is not None, "it says where it listens"
            yield found[1], service.pid
        finally:
            service.terminate()


def measure(store: Path) -> None:
    json = {"Accept": "application/json"}
    with served(store) as (url, pid), httpx.Client(base_url=url, timeout=600.0, headers=json) as client:
        with EventLog.open(store / LOG_FILE, read_only=True) as log:
            name = log.runs()[0]
            known = [one.event for one in log.read(run=name, types=["DatasetBuilt", "TaskProposed"])]
        ask(client, name, pid)
        adapters = [event.adapter for event in known if isinstance(event, ev.DatasetBuilt)]
        tasks = [event.task for event in known if isinstance(event, ev.TaskProposed)]
        page(client, pid, "compare", [f"/compare?a={name}&b=fork"])
        page(client, pid, "lineage of adapters", [f"/lineage/{name}/{one}" for one in adapters])
        page(client, pid, "lineage of tasks", [f"/lineage/{name}/{task}" for task in tasks[:400:20]])


def ask(client: httpx.Client, name: str, pid: int) -> None:
    span = client.get(f"/runs/{name}/panels").raise_for_status().json()["span"]
    rng, taken = random.Random(0), []
    before = cpu_seconds(pid)
    for _ in range(ASKED):
        at = rng.randint(span["first"], span["last"])
        begin = time.perf_counter()
        client.get(f"/runs/{name}/panels", params={"at": at}).raise_for_status()
        taken.append(1e3 * (time.perf_counter() - begin))
    cpu = 1e3 * (cpu_seconds(pid) - before) / ASKED
    p50, p95 = statistics.median(taken), statistics.quantiles(taken, n=20)[-1]
    print(f"{span['events']:,} events, {ASKED} positions: p50 {p50:.0f} ms, p95 {p95:.0f} ms, {cpu:.0f} ms of CPU each")
    print(f"contract: under {CONTRACT_MS:g} ms: {'kept' if p95 < CONTRACT_MS else 'not kept'}")


def page(client: httpx.Client, pid: int, title: str, paths: list[str]) -> None:
    if not paths:
        print(f"{title}: so few events have none")
        return
    taken = []
    client.get(paths[0]).raise_for_status()
    before = cpu_seconds(pid)
    for path in itertools.islice(itertools.cycle(paths), OTHERS):
        begin = time.perf_counter()
        client.get(path).raise_for_status()
        taken.append(1e3 * (time.perf_counter() - begin))
    cpu = 1e3 * (cpu_seconds(pid) - before) / OTHERS
    kept = "kept" if statistics.median(taken) < OTHERS_MS else "not kept"
    print(f"{title}: p50 {statistics.median(taken):.0f} ms, most {max(taken):.0f} ms, {cpu:.0f} ms of CPU each")
    print(f"contract: under {OTHERS_MS:g} ms: {kept}")


def cpu_seconds(pid: int) -> float:
    """Of a process and its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
