"""Six people look at one store at the same moment, while a run writes: how often is the log folded from its beginning?

    python benchmarks/readers.py [--events 1000000] [--store DIR]

Fills a log with synthetic events (see synthetic.py) unless DIR has one. A process appends ten events every 50 ms, as a
run does; six commands start together: `sql`, `show` and `report`, each twice. First without tables (cold), then with
tables that are a few hundred events behind (warm), then beside somebody who keeps reading a long answer, and at last
while an owner that was killed in the middle of folding has left the file. Printed are, for each command, the events
that it folded, from which position, its seconds and its peak memory; and the disk that the tables take.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from synthetic import fill

from agent0es.projections import PROJECTIONS_FILE

COMMANDS = (
    ["sql", "SELECT family, avg(solve_rate) FROM tasks GROUP BY ALL"],
    ["show", "run-000"],
    ["report", "run-000"],
)
OBSERVED = """
import json, os, resource, sys, time
from agent0es.log import EventLog
whole, folded, begun = EventLog.arrow, 0, None
def arrow(log, after=0, limit=None):
    global folded, begun
    batch = whole(log, after, limit)
    if batch.num_rows:
        folded, begun = folded + batch.num_rows, after if begun is None else min(after, begun)
    return batch
EventLog.arrow = arrow
from agent0es.cli.main import main
begin, report = time.perf_counter(), int(sys.argv.pop(1))
sys.argv[0] = "agent0es"
try:
    main()
except SystemExit as end:
    code = end.code
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
os.write(report, json.dumps([code or 0, folded, begun, time.perf_counter() - begin, memory]).encode())
"""
"""A command of agent0es, and what it read of the log for the tables: EventLog.arrow is how they read it."""
WRITER = """
import itertools, sys, time
sys.path.insert(0, sys.argv[2])
from agent0es.log import EventLog
from synthetic import run
with EventLog.open(sys.argv[1]) as log:
    for number in itertools.count():
        source = run(f"live-{time.time_ns()}", number)
        while events := list(itertools.islice(source, 10)):
            log.append(events, handler="synthetic")
            time.sleep(0.05)
"""
LOOKER = ["sql", "FROM events"]


def started(store: Path, arguments: list[str], **options: object) -> tuple[subprocess.Popen[bytes], Path]:
    """A command under observation, and the file in which it reports."""
    report = store / f"report-{time.monotonic_ns()}.json"
    with report.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", OBSERVED, str(file.fileno()), *arguments, "--store", str(store)],
            pass_fds=[file.fileno()],
            **{"stdout": subprocess.DEVNULL, **options},  # type: ignore[call-overload]
        )
    return process, report


def at_once(store: Path, title: str) -> None:
    """Start six commands at the same moment, and say how they fared."""
    begin = time.perf_counter()
    running = [(arguments, *started(store, arguments)) for arguments in COMMANDS * 2]
    print(f"\n{title}")
    total = zero = 0
    for arguments, process, report in running:
        process.wait()
        code, folded, begun, seconds, memory = json.loads(report.read_bytes())
        report.unlink()
        total, zero = total + folded, zero + (begun == 0)
        whence = f"{folded:>9,} events folded" + ("" if begun is None else f" after {begun:,}")
        print(f"  {arguments[0]:7}{seconds:6.1f} s {memory:5.0f} MB  {whence}{f'  exit code {code}' if code else ''}")
    size = sum(file.stat().st_size for file in store.glob(f"{PROJECTIONS_FILE}*") if file.is_file()) / 1e6
    print(
        f"  folds from zero: {zero}; events folded in sum: {total:,};"
        f" {time.perf_counter() - begin:.1f} s; {size:.0f} MB"
    )


def measure(store: Path) -> None:
    for file in store.glob(f"{PROJECTIONS_FILE}*"):
        file.unlink()
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(store / "log.db"), str(Path(__file__).parent)])
    try:
        at_once(store, "cold: six commands, no tables yet")
        time.sleep(3)
        at_once(store, "warm: six commands, tables some hundred events behind")
        looker, report = started(store, LOOKER, stdout=subprocess.PIPE)
        assert looker.stdout is not None
        looker.stdout.read(1)  # it has its first rows, and now nobody takes the others
        time.sleep(3)
        at_once(store, "beside a reader of a long answer, who does not go on reading")
        looker.kill()
        looker.wait()
        looker.stdout.close()
        report.unlink()
        for file in store.glob(f"{PROJECTIONS_FILE}*"):
            file.unlink()
        killed, report = started(store, COMMANDS[0])
        time.sleep(8)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        report.unlink()
        at_once(store, "after the one that folded was killed, 8 s after its start")
    finally:
        writer.kill()
        writer.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--store", type=Path, help="folder to fill, or with a log that is filled already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="benchmark-readers-") as temporary:
        store = options.store or Path(temporary)
        store.mkdir(parents=True, exist_ok=True)
        if not (store / "log.db").exists():
            fill(store / "log.db", options.events)
        measure(store)


if __name__ == "__main__":
    main()
