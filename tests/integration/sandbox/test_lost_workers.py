"""What runs the calls is killed or stopped: a call says so soon, in a way that is tried again, and nothing is left."""

import asyncio
import itertools
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from agent0es.errors import TransientError
from agent0es.sandbox import IsolatedSandbox, SandboxCommand, SandboxLimits, SandboxLost, calls, probe

FOUND = {name: tier for name in ("full", "kernel") if (tier := probe((name,)).tier) is not None}  # type: ignore[arg-type]
WORKING = list(FOUND)
pytestmark = pytest.mark.skipif(not WORKING, reason=probe().detail)

CALL = """
import ctypes, os, time
ctypes.CDLL(None).prctl(15, {mark!r}, 0, 0, 0)
open({mark!r}, "w").close()
for n in range(2):
    if os.fork() == 0:
        time.sleep(60)
time.sleep(60)
"""
LIMIT_SECONDS = 3.0
KILLED, STOPPED = signal.SIGKILL, signal.SIGSTOP


class Process(NamedTuple):
    parent: int
    command: bytes
    name: bytes


def table() -> dict[int, Process]:
    """All processes of this machine."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            found[int(place.name)] = Process(
                parent, (place / "cmdline").read_bytes(), (place / "comm").read_bytes().strip()
            )
        except OSError:
            continue
    return found


def line_above(pid: int, processes: dict[int, Process]) -> list[int]:
    """Parents of a process, up to this one."""
    line = []
    while pid in processes and pid != os.getpid():
        pid = processes[pid].parent
        line.append(pid)
    return line


async def who_runs(mark: bytes) -> dict[str, int]:
    """The supervisor, the worker and the guard of the call of that name, which has three processes."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        processes = table()
        called = [pid for pid, process in processes.items() if process.name == mark]
        if len(called) == 3:
            [first] = [pid for pid in called if processes[pid].parent not in called]
            line = [pid for pid in line_above(first, processes) if b"# agent0es: worker" in processes[pid].command]
            guard = next(pid for pid in line if b"# agent0es: guard" in processes[pid].command)
            return {"supervisor": line[0], "worker": line[1], "guard": guard}
        await asyncio.sleep(0.2)
    raise AssertionError("the call never began")


def left(mark: bytes) -> list[object]:
    """Processes and files of a call."""
    files = Path("/tmp").glob(f"agent0es-call-*/{mark.decode()}")
    return [*files, *(pid for pid, process in table().items() if process.name == mark)]


async def strike(tier: str, who: str, blow: signal.Signals, mark: bytes) -> None:
    """A call is lost, and the next one is not."""
    command = SandboxCommand(program=CALL.format(mark=mark), limits=SandboxLimits(timeout_seconds=LIMIT_SECONDS))
    async with IsolatedSandbox(FOUND[tier], 2) as sandbox:
        await sandbox.run(SandboxCommand(program="print('warm')"))
        call = asyncio.create_task(sandbox.run(command))
        os.kill((await who_runs(mark))[who], blow)
        if (who, blow) == ("worker", STOPPED):  # what runs has its supervisor; the next call waits for a fork
            assert (await call).ending == "timeout"
            call = asyncio.create_task(sandbox.run(replace(command, limits=SandboxLimits(timeout_seconds=0.2))))
        with pytest.raises(SandboxLost):
            await call
        assert left(mark) == []
        assert (await sandbox.run(SandboxCommand(program="print('again')"))).stdout == b"again\n"


async def survive(tier: str, who: str, blow: signal.Signals, mark: bytes) -> None:
    """A call comes to its end, and the next one too."""
    command = SandboxCommand(program=CALL.format(mark=mark), limits=SandboxLimits(timeout_seconds=LIMIT_SECONDS))
    async with IsolatedSandbox(FOUND[tier], 2) as sandbox:
        call = asyncio.create_task(sandbox.run(command))
        os.kill((await who_runs(mark))[who], blow)
        assert (await call).ending == "timeout"
        assert (await sandbox.run(SandboxCommand(program="print('again')"))).stdout == b"again\n"
    assert left(mark) == []


async def cancel(tier: str, who: str, blow: signal.Signals, mark: bytes) -> None:
    """A call that is cancelled while nobody answers leaves nothing either."""
    command = SandboxCommand(program=CALL.format(mark=mark), limits=SandboxLimits(timeout_seconds=30))
    async with IsolatedSandbox(FOUND[tier], 2) as sandbox:
        call = asyncio.create_task(sandbox.run(command))
        os.kill((await who_runs(mark))[who], blow)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert left(mark) == []


def marked(what: str, cases: list[tuple[str, str, signal.Signals]]) -> list[tuple[str, str, signal.Signals, bytes]]:
    return [(*case, f"{what}-{os.getpid() % 100000}-{number}".encode()) for number, case in enumerate(cases)]


async def test_killed_and_stopped_workers_are_noticed_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "GRACE_SECONDS", 2.0)
    assert issubclass(SandboxLost, TransientError)
    lost = list(itertools.product(WORKING, ("supervisor", "worker"), (KILLED, STOPPED)))
    # In the kernel tier a call has its supervisor; without its worker it goes on, as with a guard that is stopped.
    kept: list[tuple[str, str, signal.Signals]] = [(tier, "guard", STOPPED) for tier in WORKING]
    if ("kernel", "worker", KILLED) in lost:
        lost.remove(("kernel", "worker", KILLED))
        kept.append(("kernel", "worker", KILLED))
    await asyncio.gather(
        *(strike(*case) for case in marked("lost", lost)),
        *(survive(*case) for case in marked("kept", kept)),
    )
    await asyncio.gather(
        *(cancel(*case) for case in marked("off", [(tier, "supervisor", STOPPED) for tier in WORKING])),
    )
