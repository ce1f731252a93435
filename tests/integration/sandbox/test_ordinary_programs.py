"""What the filter refuses, no ordinary program needs: the same text works in each tier."""

import asyncio

import pytest

from agent0es.sandbox import SandboxCommand, SandboxLimits, TierName, open_sandbox, probe

WORKING: list[TierName] = [name for name in ("full", "kernel") if probe((name,)).tier is not None]  # type: ignore[misc]
pytestmark = pytest.mark.skipif(not WORKING, reason=probe().detail)

PROGRAMS = {
    "a hundred event loops": "import asyncio\nfor n in range(100): asyncio.run(asyncio.sleep(0))\nprint('done')",
    "threads": "from concurrent.futures import ThreadPoolExecutor\n"
    "with ThreadPoolExecutor(4) as pool: assert list(pool.map(abs, [-1, 2])) == [1, 2]\nprint('done')",
    "processes": "import multiprocessing\nread, write = multiprocessing.Pipe()\n"
    "process = multiprocessing.get_context('fork').Process(target=lambda: write.send('done'))\n"
    "process.start(); print(read.recv()); process.join()",
    "ls": "import subprocess; print('done', subprocess.run(['/usr/bin/ls', '-la'], capture_output=True).stderr)",
    "SQLite in memory": "import sqlite3; sqlite3.connect(':memory:').execute('create table a (b)'); print('done')",
    "a file in memory": "import mmap\nopen('a', 'wb').write(bytes(8192))\n"
    "with open('a', 'r+b') as file: mmap.mmap(file.fileno(), 0)[0] = 1\nprint('done', open('a', 'rb').read()[0])",
    "SQLite on a file": "import sqlite3\nbase = sqlite3.connect('file:base?nolock=1', uri=True)\n"
    "base.execute('create table a (b)'); base.commit(); print('done')",
    "memory of one's own": "import mmap; mmap.mmap(-1, 8192, flags=mmap.MAP_PRIVATE)[0] = 1; print('done')",
    "a temporary file": "import tempfile; tempfile.NamedTemporaryFile().write(b'x'); print('done')",
    "a time of day": "import signal; signal.setitimer(signal.ITIMER_REAL, 9); print('done')",
}
ENDS = {"ls": "done b''", "a file in memory": "done 1"}


@pytest.mark.parametrize("tier", WORKING)
async def test_ordinary_programs_run(tier: TierName) -> None:
    limits = SandboxLimits(timeout_seconds=20)
    async with open_sandbox(tier) as sandbox:
        calls = (sandbox.run(SandboxCommand(program=program, limits=limits)) for program in PROGRAMS.values())
        results = dict(zip(PROGRAMS, await asyncio.gather(*calls), strict=True))
    said = {name: result.stdout.decode().strip() or result.stderr.decode() for name, result in results.items()}
    assert said == {name: ENDS.get(name, "done") for name in PROGRAMS}
