"""How fast tables follow the log: from zero, by a hundred events, and at the start of a command.

    python benchmarks/projections.py [--events 1000000] [--store DIR]

Fills a log with synthetic events (see synthetic.py) unless DIR has one, and folds it in a process of its own, so that
peak memory is that of folding. CPU seconds are printed beside clock seconds, which say little on a machine that does
other work. It is compared with sqlite3 reading the same rows into Python and doing nothing with them.
"""

import argparse
import json
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from synthetic import fill, run

from agent0es.log import EventLog
from agent0es.projections import PROJECTIONS_FILE

FOLD = """
import json, resource, sys, time
from pathlib import Path
from agent0es.log import EventLog
from agent0es.projections import PROJECTIONS_FILE, Projections
store = Path(sys.argv[1])
with EventLog.open(store / "log.db", read_only=True) as log:
    begin, cpu = time.perf_counter(), time.process_time()
    with Projections.open(log, store / PROJECTIONS_FILE) as tables:
        events = tables.catch_up()
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
print(json.dumps([events, seconds, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""
COMMANDS = (
    ["--help"],
    ["runs"],
    ["sql", "SELECT 1"],
    ["show", "run-000"],
    ["report", "run-000"],
    ["sql", "SELECT family, avg(solve_rate) FROM tasks GROUP BY ALL"],
)


def fold(store: Path) -> tuple[int, float, float, float]:
    """Events, seconds, seconds of CPU and peak MB of catching up, imports not counted in the seconds."""
    done = subprocess.run([sys.executable, "-c", FOLD, str(store)], capture_output=True, text=True, check=True)
    events, seconds, cpu, memory = json.loads(done.stdout)
    return events, seconds, cpu, memory


def read_only(path: Path) -> float:
    """Seconds that sqlite3 takes to read the columns that folding needs."""
    with sqlite3.connect(path) as connection:
        begin = time.perf_counter()
        rows = connection.execute("SELECT seq, stream, version, topic, run, state, chain_hash FROM events ORDER BY seq")
        while rows.fetchmany(20_000):
            pass
        return time.perf_counter() - begin


def small_batches(store: Path, count: int) -> list[tuple[float, float]]:
    """Seconds, and seconds of CPU, of catching up with 100 new events, in a process that has the tables open."""
    from agent0es.projections import Projections

    source = run("small", 7)
    times = []
    with EventLog.open(store / "log.db") as log, Projections.open(log, store / PROJECTIONS_FILE) as tables:
        tables.catch_up()
        for _ in range(count):
            log.append(list(islice(source, 100)), handler="synthetic")
            begin, cpu = time.perf_counter(), time.process_time()
            assert tables.catch_up() == 100
            times.append((time.perf_counter() - begin, time.process_time() - cpu))
    return times


def anywhere(store: Path, count: int) -> tuple[float, list[float], list[float]]:
    """Seconds of a run's first state, then milliseconds, and those of CPU, of its state at random positions."""
    from agent0es.projections.snapshots import SNAPSHOTS_FILE, Snapshots

    clock, cpu = [], []
    with EventLog.open(store / "log.db", read_only=True) as log, Snapshots(log, store / SNAPSHOTS_FILE) as snapshots:
        name = min(log.runs())  # the last one holds only what filled the log
        begin = time.perf_counter()
        snapshots.state_at(name)
        first = time.perf_counter() - begin
        positions = [row.position for row in log.raw(run=name)]
        for position in random.Random(0).sample(positions, count):
            begin, before = time.perf_counter(), time.process_time()
            snapshots.state_at(name, position)
            clock.append(1000 * (time.perf_counter() - begin))
            cpu.append(1000 * (time.process_time() - before))
    return first, clock, cpu


def command(store: Path, arguments: list[str]) -> tuple[float, float]:
    """Seconds, and seconds of CPU, of a command from its start to its end; the best of three."""
    where = [] if arguments == ["--help"] else ["--store", str(store)]
    times = []
    for _ in range(3):
        begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "agent0es", *arguments, *where], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        times.append((time.perf_counter() - begin, cpu))
    return min(times)


def measure(store: Path) -> None:
    path = store / "log.db"
    for name in store.glob(f"{PROJECTIONS_FILE}*"):
        name.unlink()
    limit = read_only(path)
    events, seconds, cpu, memory = fold(store)
    size = (store / PROJECTIONS_FILE).stat().st_size
    print(f"from zero: {events:,} events in {seconds:.1f} s, {events / seconds:,.0f} events/s; peak {memory:.0f} MB")
    print(f"  {1e6 * cpu / events:.1f} µs of CPU an event, in two threads that overlap")
    print(f"  sqlite3 reads the rows in {limit:.1f} s: folding takes {seconds / limit:.1f} times that")
    print(f"  {size / events:,.0f} bytes an event in DuckDB, {path.stat().st_size / events:,.0f} in the log")
    times = small_batches(store, 20)
    seconds, cpu = (1000 * statistics.median(each) for each in zip(*times, strict=True))
    print(f"100 new events: median {seconds:.0f} ms, {cpu:.0f} ms of CPU")
    first, clock, cpu = anywhere(store, 100)
    print(f"show --at, first time: {first:.1f} s; then anywhere: median {statistics.median(clock):.0f} ms,", end=" ")
    print(f"at most {max(clock):.0f} ms, {max(cpu):.0f} ms of CPU at most")
    begin, before = time.perf_counter(), time.process_time()
    with EventLog.open(path, read_only=True) as log:
        assert log.verify().ok
    seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - before
    print(f"log verify: {events / seconds:,.0f} events/s, {events / cpu_seconds:,.0f} for each second of CPU")
    for arguments in COMMANDS:
        seconds, cpu = command(store, arguments)
        print(f"agent0es {' '.join(arguments)}: {seconds:.2f} s, {cpu:.2f} s of CPU")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--store", type=Path, help="folder to fill, or with a log that is filled already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="benchmark-projections-") as temporary:
        store = options.store or Path(temporary)
        store.mkdir(parents=True, exist_ok=True)
        if not (store / "log.db").exists():
            fill(store / "log.db", options.events)
        measure(store)


if __name__ == "__main__":
    main()
