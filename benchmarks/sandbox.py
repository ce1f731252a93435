"""What a sandboxed call costs, and what is left after many that were cut off.

    python benchmarks/sandbox.py [--calls 200] [--tier full --tier kernel]
    python benchmarks/sandbox.py --residue 1000 [--tier full]

Each of these factors the same polynomial: a warm call of each tier, `subprocess.run` of a cold
`python -c "import sympy …"`, and, where it is installed, smolagents' LocalPythonExecutor, which interprets in this
process and isolates nothing.
`--residue N` starts processes that make calls and kills each at a random moment, until N calls were started. Then it
counts what is left of them: processes, mounts, entries of /tmp, and descriptors of this process.
"""

import argparse
import asyncio
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from agent0es.sandbox import SandboxCommand, SandboxLimits, TierName, open_sandbox

FACTOR = "import sympy\nx = sympy.Symbol('x')\nprint(sympy.factor(x**4 - 10*x**2 + 9))"
EXPECTED = "(x - 3)*(x - 1)*(x + 1)*(x + 3)"
COMMAND = SandboxCommand(program=FACTOR, preload=("sympy",), limits=SandboxLimits(timeout_seconds=30))


def percentiles(seconds: list[float]) -> str:
    """p50, p95 and p99 in ms."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return "  ".join(f"{1000 * cuts[n - 1]:8.1f}" for n in (50, 95, 99))


async def measure_tier(tier: TierName, calls: int) -> tuple[list[float], float]:
    """(seconds of each call made alone, calls per second on all cores)."""
    async with open_sandbox(tier) as sandbox:

        async def call() -> float:
            begin = time.perf_counter()
            result = await sandbox.run(COMMAND)
            if result.stdout.decode().strip() != EXPECTED:
                raise SystemExit(f"{tier}: {result}")
            return time.perf_counter() - begin

        await call()
        alone = [await call() for _ in range(calls)]
        begin = time.perf_counter()
        await asyncio.gather(*(call() for _ in range(calls)))
        return alone, calls / (time.perf_counter() - begin)


def measure_peer(call: Callable[[], str], calls: int) -> list[float]:
    """Seconds of each call, one after the other."""
    seconds = []
    for _ in range(calls):
        begin = time.perf_counter()
        said = call()
        seconds.append(time.perf_counter() - begin)
        if said != EXPECTED:
            raise SystemExit(f"a peer answered {said!r}")
    return seconds


def cold() -> str:
    """A new Python that imports SymPy."""
    return subprocess.run([sys.executable, "-c", FACTOR], capture_output=True, text=True, check=True).stdout.strip()


def compare(tiers: list[TierName], calls: int) -> None:
    print(f"{'':34}{'p50 ms':>8}  {'p95 ms':>8}  {'p99 ms':>8}  calls/s")
    baseline = measure_peer(cold, max(10, calls // 10))
    cold_median = statistics.median(baseline)
    print(f"{'subprocess.run, cold':34}{percentiles(baseline)}  {1 / statistics.mean(baseline):7.1f} (one by one)")
    for tier in tiers:
        alone, rate = asyncio.run(measure_tier(tier, calls))
        ratio = cold_median / statistics.median(alone)
        print(f"{'warm, tier ' + tier:34}{percentiles(alone)}  {rate:7.1f} on all cores; {ratio:.1f}x cold")
    try:
        from smolagents.local_python_executor import LocalPythonExecutor
    except ImportError:
        print("smolagents: not installed (pip install smolagents)")
        return
    executor = LocalPythonExecutor(["sympy", "sympy.*"])
    executor.send_tools({})

    def smolagents() -> str:
        return executor(FACTOR.replace("print(", "str(")).output

    smolagents()
    inside = measure_peer(smolagents, calls)
    rate = 1 / statistics.mean(inside)
    print(f"{'smolagents, in this process':34}{percentiles(inside)}  {rate:7.1f} (one by one); isolates nothing")


OWNER = """
import asyncio, sys
from agent0es.sandbox import *
PROGRAMS = ("print(1)", "while True: pass", "import os, time\\nos.fork()\\ntime.sleep(9)",
    "open('x', 'wb').write(bytes(1 << 20))",
    "import os, subprocess; subprocess.run(['/usr/bin/tail', '-f', '/dev/null'])")
async def main():
    sandbox = open_sandbox(sys.argv[1], places=10)
    async def call(n):
        print("call", flush=True)
        await sandbox.run(SandboxCommand(program=PROGRAMS[n % 5], limits=SandboxLimits(timeout_seconds=0.5)))
        print("ended", flush=True)
    while True:
        await asyncio.gather(*(call(n) for n in range(10)))
asyncio.run(main())
"""


def traces() -> dict[str, set[str]]:
    """What calls could leave on this machine."""
    workers = set()
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = line.read_bytes()
        except OSError:
            continue
        if b"# agent0es: worker" in text or b"# agent0es: guard" in text:
            workers.add(line.parent.name)
    return {
        "processes": workers,
        "mounts": set(Path("/proc/self/mountinfo").read_text().splitlines()),
        "/tmp entries": {place.name for place in Path("/tmp").glob("agent0es-call-*")},
        "descriptors": {place.name for place in Path("/proc/self/fd").iterdir()},
    }


def residue(tier: TierName, calls: int) -> None:
    """Kill owners at random moments until so many calls were started; then count what is left."""
    before, started, ended, kills = traces(), 0, 0, 0
    chance = random.Random(0)
    while started < calls:
        owner = subprocess.Popen([sys.executable, "-c", OWNER, tier], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert owner.stdout is not None
        if kills % 4:  # else it is killed in the middle of its start
            owner.stdout.readline()
            started += 1
        time.sleep(chance.uniform(0.05, 2.0))
        owner.kill()
        said = owner.communicate()[0]
        started += said.count(b"call")
        ended += said.count(b"ended")
        kills += 1
    time.sleep(5)
    print(f"{tier}: {started} calls started, {ended} of them ended, {kills} owners killed")
    for name, now in traces().items():
        left = sorted(now - before[name])
        print(f"  {name} left: {len(left)} {' '.join(left[:3])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--tier", action="append", choices=["full", "kernel", "unsafe"])
    parser.add_argument("--residue", type=int, metavar="N")
    arguments = parser.parse_args()
    tiers = arguments.tier or ["full", "kernel", "unsafe"]
    if arguments.residue is None:
        compare(tiers, arguments.calls)
        return
    for tier in tiers:
        residue(tier, arguments.residue)


if __name__ == "__main__":
    main()
