"""Calls of two agent0es processes on one machine can't reach each other: they share neither uids nor limits."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from agent0es.errors import SandboxUnavailable
from agent0es.sandbox import SandboxCommand, SandboxLimits, TierName, open_sandbox, probe
from agent0es.sandbox.tiers import candidates, spare_uids
from tests.support import ordinary_user

WORKING: list[TierName] = [name for name in ("full", "kernel") if probe((name,)).tier is not None]  # type: ignore[misc]

OWNER = """
import asyncio, sys
from agent0es.sandbox import *
program = f'''
import ctypes, os, time
ctypes.CDLL(None).prctl(15, {sys.argv[2].encode()!r}, 0, 0, 0)
open("private", "w").close()
for n in range(24):
    if os.fork() == 0:
        time.sleep(60)
time.sleep(60)
'''
asyncio.run(open_sandbox(sys.argv[1], places=1).run(
    SandboxCommand(program=program, limits=SandboxLimits(timeout_seconds=60))))
"""
"""A process with a call of 25 processes."""

ATTACK = """
import ctypes, os, resource, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
def syscall(x86, arm, *arguments):
    result = libc.syscall({"x86_64": x86, "aarch64": arm}[os.uname().machine], *map(ctypes.c_long, arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
for pid in map(int, sys.stdin.read().split()):
    for name, attempt in {
        "signal": lambda: os.kill(pid, signal.SIGKILL),
        "group": lambda: os.killpg(pid, signal.SIGKILL),
        "ptrace": lambda: syscall(101, 117, 0x4206, pid, 0, 0),
        "limits": lambda: resource.prlimit(pid, resource.RLIMIT_CPU, (0, 0)),
        "priority": lambda: os.setpriority(os.PRIO_PROCESS, pid, 19),
        "affinity": lambda: os.sched_setaffinity(pid, {0}),
        "memory": lambda: open(f"/proc/{pid}/mem", "r+b"),
        "environment": lambda: open(f"/proc/{pid}/environ").read(),
        "descriptors": lambda: os.listdir(f"/proc/{pid}/fd"),
        "files": lambda: os.stat(f"/proc/{pid}/cwd/private"),
    }.items():
        try:
            attempt()
        except OSError:
            continue
        print("ESCAPED", name)
read, write = os.pipe()
for n in range(24):  # of 32; together with the neighbour's they would be 50
    if os.fork() == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
print("as many processes as promised")
"""


def named(mark: str) -> dict[int, int]:
    """Process id to uid of the processes that call themselves so."""
    found = {}
    for comm in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if comm.read_text().strip() == mark:
                found[int(comm.parent.name)] = comm.parent.stat().st_uid
    return found


@contextlib.contextmanager
def neighbour(tier: TierName) -> Iterator[dict[int, int]]:
    """Another process's call, as process id to uid of each of its processes."""
    mark = f"nb{tier[0]}{os.getpid()}"  # the last test's neighbour may still be dying
    owner = subprocess.Popen([sys.executable, "-c", OWNER, tier, mark])
    try:
        for _ in range(1000):
            if len(found := named(mark)) == 25:
                break
            time.sleep(0.02)
        yield found
        assert named(mark) == found, "a neighbour was harmed"
    finally:
        owner.kill()
        owner.wait()


@pytest.mark.parametrize("tier", WORKING)
async def test_calls_of_two_processes_do_not_meet(tier: TierName) -> None:
    attack = "import os\nprint(os.getuid())" + ATTACK
    with neighbour(tier) as victims:
        async with open_sandbox(tier, places=1) as sandbox:
            stdin = " ".join(map(str, victims)).encode()
            limits = SandboxLimits(timeout_seconds=30)
            result = await sandbox.run(SandboxCommand(program=attack, stdin=stdin, limits=limits))

    assert len(victims) == 25
    uid, *said = result.stdout.decode().splitlines()
    assert said == ["as many processes as promised"], result.stderr
    if os.geteuid() == 0:
        assert int(uid) not in set(victims.values()) | {0}


SIDE_BY_SIDE = """
import asyncio, sys
from agent0es.sandbox import *
MANY = "import os, time\\nfor n in range(25):\\n  if os.fork() == 0: time.sleep(9)\\nprint('as many'); time.sleep({})"
async def main():
    async with open_sandbox(sys.argv[1], places=2) as sandbox:
        first = asyncio.create_task(sandbox.run(SandboxCommand(program=MANY.format(3))))
        await asyncio.sleep(1.5)
        print((await sandbox.run(SandboxCommand(program=MANY.format(0)))).stdout.decode(), end="")
        await first
asyncio.run(main())
"""


@pytest.mark.parametrize("tier", WORKING)
def test_calls_side_by_side_have_each_as_many_processes_as_promised(tier: TierName) -> None:
    """Of who runs this, and of an ordinary user."""
    line = ("-c", SIDE_BY_SIDE, tier)
    run = partial(subprocess.run, capture_output=True, text=True, timeout=60, check=False)
    ways = [partial(run, [sys.executable, *line])]
    if not ordinary_user.why_not():
        ways.append(partial(ordinary_user.run, *line, timeout=60))
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(lambda way: way(), ways))
    assert [(done.stdout, done.stderr) for done in ended] == [("as many\n", "")] * len(ways)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends uids")
def test_a_lent_uid_is_lent_once() -> None:
    [tier, *_] = candidates("kernel", None)
    assert tier.uids is not None
    few = type(tier)(tier.name, "", "", (), (), uids=tier.uids[:3])
    with contextlib.ExitStack() as stack:
        lent = [stack.enter_context(few.lent_uid()) for _ in range(3)]
        assert sorted(map(int, lent)) == list(few.uids)  # type: ignore[arg-type]
        with pytest.raises(SandboxUnavailable, match="all 3 uids"):
            stack.enter_context(few.lent_uid())
    with few.lent_uid() as again:
        assert again in lent


@pytest.mark.parametrize(
    ("uid_map", "first", "last"),
    [
        ("0 0 4294967295", 2_000_300_000, 2_146_999_999),  # no namespace
        ("0 100000 65536", 65000, 65533),  # a container
        ("0 1000 1\n1 100000 65536", 65000, 65533),  # rootless
        ("0 1000 1000", 936, 999),
        ("0 1000 1", 1, 0),  # nobody but root: nothing to lend
    ],
)
def test_spare_uids_are_ones_that_the_namespace_knows(uid_map: str, first: int, last: int) -> None:
    spare = spare_uids(uid_map)
    assert (spare.start, spare.stop - 1) == (first, last)
