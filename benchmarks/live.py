"""What people who watch cost, and how soon they see what happens. Real services, real browsers.

    python benchmarks/live.py latency [--events 120]    milliseconds from an event's time in the log to the open page
    python benchmarks/live.py viewers [--rounds 5]      a short run without and with 50 followers, by turns
    python benchmarks/live.py day [--events 100000]     memory of service and page over a day
    python benchmarks/live.py leavers [--times 200]     what is left of followers that came and went

`--json` prints one line of JSON. The first and the third need `pip install '.[dev]'` and Debian's chromium.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
from pages import cpu_seconds, endless, served

from agent0es.bootstrap import LOG_FILE
from agent0es.log import EventLog, NewEvent

ROOT = Path(__file__).parents[1]
VIEWERS = 50
BEFORE = 2_000
"""Events that the run has when somebody begins to watch."""
PUSHED = 500
"""Events of one append of a day that goes by fast."""
AIM = {"latency": "p95 under 100 ms", "viewers": "under 5%", "day": "flat", "leavers": "nothing left"}

WATCH = """() => {
  window.seen = new Map();
  new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) {
      const at = node.querySelector && node.querySelector("[data-goto]");
      if (at && !window.seen.has(at.dataset.goto)) window.seen.set(at.dataset.goto, Date.now());
    }
  }).observe(document.body, { childList: true, subtree: true });
}"""

FOLLOW = """
import asyncio, json, os, sys, time, httpx
os.nice(19)
if os.path.exists("/proc/self/autogroup"):
    open("/proc/self/autogroup", "w").write("19")
async def follow(client, ready):
    drawn = 0.0
    async with client.stream("GET", "/live") as answer:
        async for line in answer.aiter_lines():
            ready.set()
            if not line.startswith("data:") or time.monotonic() - drawn < 0.6:
                continue
            kind, name, *_ = json.loads(line[5:])[-1]["stream"].split("/")
            if kind in ("run", "task", "attempt"):
                await client.get(f"/runs/{name}/panels")
                drawn = time.monotonic()
async def main():
    ready = [asyncio.Event() for _ in range(int(sys.argv[2]))]
    everybody = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=sys.argv[1], timeout=None, limits=everybody) as client:
        work = [asyncio.create_task(follow(client, one)) for one in ready]
        await asyncio.gather(*(one.wait() for one in ready))
        print("all there", flush=True)
        await asyncio.gather(*work, return_exceptions=True)
asyncio.run(main())
"""
"""As pages do it: events as they come, and the panels of their run, again when 0.6 seconds have gone by. Viewers have
machines of their own, so this takes what the run and the service leave of the processor."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=sorted(AIM))
    parser.add_argument("--events", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=24)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--model", choices=("scripted", "embedded"), default="scripted")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="live-") as folder:
        measured = {"latency": latency, "viewers": viewers, "day": day, "leavers": leavers}[chosen.what]
        found = {"what": chosen.what, **measured(Path(folder), chosen), "aim": AIM[chosen.what]}
    print(json.dumps(found) if chosen.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


@contextmanager
def followers(url: str, many: int) -> Iterator[None]:
    """So many viewers in a process of their own, all of them connected: they ask what a page asks."""
    words = [sys.executable, "-c", FOLLOW, url, str(many)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "all there\n", "the followers are connected"
            yield
        finally:
            process.terminate()


@contextmanager
def opened(url: str) -> Iterator[Any]:
    """A page in Chromium that notes when it shows which event."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(url)
        page.evaluate(WATCH)
        time.sleep(1.0)
        yield page
        browser.close()


def begun(log: EventLog, coming: Iterator[NewEvent]) -> str:
    """A run that goes on; its name."""
    log.append(list(islice(coming, BEFORE)), handler="synthetic")
    return log.runs()[0]


def latency(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """One event at a time, at intervals that don't fall in step with anybody's looking."""
    coming, shown = endless(), {}
    with EventLog.open(folder / LOG_FILE) as log:
        name = begun(log, coming)
        with served(folder) as (url, _), opened(f"{url}/runs/{name}") as page:
            for number in range(chosen.events or 120):
                [recorded] = log.append([next(coming)], handler="synthetic")
                shown[recorded.position] = 1e3 * time.time()
                page.wait_for_timeout(131 + 37 * (number % 7))
            seen = {int(at): when for at, when in page.evaluate("[...window.seen]")}
    taken = [seen[at] - when for at, when in shown.items() if at in seen]
    return {"events": len(shown), "shown": len(taken), **spread(taken, "ms")}


def viewers(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """The service stands all the time, and so does what it costs by itself."""
    taken: dict[int, list[tuple[float, float]]] = {0: [], VIEWERS: []}
    with EventLog.open(folder / LOG_FILE), served(folder) as (url, pid):
        a_run(folder, chosen)  # files are read, embeddings are kept
        service: dict[int, list[float]] = {0: [], VIEWERS: []}
        for turn in range(2 * chosen.rounds):
            many = (0, VIEWERS)[(turn + turn // 2) % 2]  # 0 50 50 0 0 50 …
            if many:
                with followers(url, many):
                    before = cpu_seconds(pid)
                    taken[many].append(a_run(folder, chosen))
                    service[many].append(cpu_seconds(pid) - before)
            else:
                before = cpu_seconds(pid)
                taken[many].append(a_run(folder, chosen))
                service[many].append(cpu_seconds(pid) - before)
    wall, cpu = ({many: [one[kind] for one in rounds] for many, rounds in taken.items()} for kind in (0, 1))
    return {
        "rounds": chosen.rounds,
        "model": chosen.model,
        "wall_ratio": round(statistics.median(wall[VIEWERS]) / statistics.median(wall[0]), 3),
        "cpu_ratio": round(statistics.median(cpu[VIEWERS]) / statistics.median(cpu[0]), 3),
        "wall_seconds": {many: rounded(found) for many, found in wall.items()},
        "cpu_seconds": {many: rounded(found) for many, found in cpu.items()},
        "cpu_seconds_of_the_service": {many: rounded(found) for many, found in service.items()},
    }


def a_run(store: Path, chosen: argparse.Namespace) -> tuple[float, float]:
    """A run in a process of its own: seconds by the clock, and of the processor, its children's too."""
    words = [sys.executable, "-m", "agent0es", "run", "--store", str(store), "--iterations", "1"]
    settings = ["training.roles=[]", f"execution.tasks_per_iteration={chosen.tasks}"]
    if chosen.model == "scripted":
        for role in ("teacher", "student"):
            settings += [f"models.{role}.backend=scripted", f"models.{role}.name=tests.support.scripted:respond"]
    words += [word for setting in settings for word in ("--set", setting)]
    begin = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"the run failed: {errors.decode()[-400:]}")
    return time.perf_counter() - begin, used.ru_utime + used.ru_stime


def day(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """A page that is open while all of it goes by; what is kept after a tenth, a half and all of it."""
    coming, many = endless(), chosen.events or 100_000
    marks = {round(many * part): f"{part:.0%}" for part in (0.1, 0.25, 0.5, 0.75, 1.0)}
    found: dict[str, Any] = {"events": many}
    with EventLog.open(folder / LOG_FILE) as log:
        name = begun(log, coming)
        with served(folder) as (url, pid), opened(f"{url}/runs/{name}") as page, followers(url, VIEWERS):
            browser = page.context.new_cdp_session(page)
            browser.send("Performance.enable")
            for pushed in range(PUSHED, many + 1, PUSHED):
                log.append(list(islice(coming, PUSHED)), handler="synthetic")
                page.wait_for_timeout(50)
                if pushed in marks:
                    page.wait_for_timeout(3_000)
                    browser.send("HeapProfiler.collectGarbage")
                    metrics = {one["name"]: one["value"] for one in browser.send("Performance.getMetrics")["metrics"]}
                    found[marks[pushed]] = {
                        "page_heap_mb": round(metrics["JSHeapUsedSize"] / 1e6, 2),
                        "page_nodes": int(metrics["Nodes"]),
                        "page_listeners": int(metrics["JSEventListeners"]),
                        **kept(pid),
                    }
    return found


def leavers(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Followers that come, are told something, and go without a word."""
    coming, found = endless(), {}
    with EventLog.open(folder / LOG_FILE) as log:
        begun(log, coming)
        with served(folder) as (url, pid):
            for number in range(chosen.times + 1):
                with httpx.stream("GET", f"{url}/live", timeout=60.0) as answer:
                    pieces = answer.iter_bytes()
                    next(pieces)
                    log.append([next(coming)], handler="synthetic")
                    next(pieces)
                if number in (0, chosen.times // 2, chosen.times):
                    log.append([next(coming)], handler="synthetic")
                    time.sleep(1.0)
                    found[f"after {number + 1}"] = kept(pid)
    return found


def kept(pid: int) -> dict[str, float]:
    """What a process holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    resident, threads = (int(re.findall(rf"{name}:\s+(\d+)", status)[0]) for name in ("VmRSS", "Threads"))
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return {"service_mb": round(resident / 1e3, 1), "threads": threads, "files": files}


def spread(taken: Sequence[float], unit: str) -> dict[str, float]:
    p95 = statistics.quantiles(taken, n=20)[-1]
    figures = {"p50": statistics.median(taken), "p95": p95, "max": max(taken)}
    return {f"{name}_{unit}": round(value, 1) for name, value in figures.items()}


def rounded(found: Sequence[float]) -> list[float]:
    return [round(one, 2) for one in sorted(found)]


if __name__ == "__main__":
    main()
