"""What hostile code tries, and that the sandbox denies it. Numbers are those of the list of escapes the design keeps.

Each attempt prints `escaped` when it succeeds. Most run twice, outside too: an attempt that fails there as well
would prove nothing.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from agent0es.sandbox import SandboxCommand, SandboxLimits, SandboxResult, open_sandbox, probe

pytestmark = pytest.mark.skipif(probe(("full",)).tier is None, reason=probe(("full",)).detail)


def run_inside(program: str, timeout_seconds: float = 10.0, stdin: bytes = b"") -> SandboxResult:
    command = SandboxCommand(program=program, stdin=stdin, limits=SandboxLimits(timeout_seconds=timeout_seconds))

    async def call() -> SandboxResult:
        async with open_sandbox("full", places=1) as sandbox:
            return await sandbox.run(command)

    return asyncio.run(call())


def run_outside(program: str, **environment: str) -> bytes:
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        timeout=30,
        env={**os.environ, **environment},
        check=False,
    ).stdout


ATTEMPTS = {
    "1 read /etc/passwd": "print('escaped' if 'root' in open('/etc/passwd').read() else '')",
    "4 read another process's environment": (
        "import os\nfor p in os.listdir('/proc'):\n  try:\n"
        "    if p.isdigit() and int(p) != os.getpid() and open(f'/proc/{p}/environ', 'rb').read(): print('escaped')\n"
        "  except OSError: pass"
    ),
    "9 signal another process": "import os; os.kill(int(open('/tmp/agent0es-pid').read()), 0); print('escaped')",
    "10 TCP": (
        "import socket\nserver = socket.socket(); server.bind(('127.0.0.1', 0)); server.listen()\n"
        "print('escaped' if len(socket.if_nameindex()) > 1 else '')"
    ),
    "15 write into the root": "import os; open('/agent0es-x', 'w'); print('escaped'); os.remove('/agent0es-x')",
    "20 fork bomb": (
        "import os\nr, w = os.pipe()\nfor i in range(60):\n"
        "  if os.fork() == 0:\n    os.close(w); os.read(r, 1); os._exit(0)\n"
        "print('escaped')"
    ),
    "20 threads": (
        "import threading\nstop = threading.Event()\nfor i in range(60): threading.Thread(target=stop.wait).start()\n"
        "print('escaped'); stop.set()"
    ),
    "21 3 GB": "import mmap; mmap.mmap(-1, 3 << 30); print('escaped')",
    "23 a file of 1 TB, sparse": (
        "import os, tempfile\nf = tempfile.TemporaryFile(); os.truncate(f.fileno(), 1 << 40); print('escaped')"
    ),
    "24 many files": (
        "import os, tempfile\nd = tempfile.TemporaryDirectory()\n"
        "for i in range(40): open(f'{d.name}/{i}', 'wb').write(bytes(1 << 20))\nprint('escaped')"
    ),
    "25 /dev/shm": "import os; print('escaped' if os.path.isdir('/dev/shm') else '')",
    "30 site-packages of the project": "import pydantic; print('escaped')",
    "31 user namespace": (
        "import ctypes, os\nif os.fork() == 0:\n"
        "  if ctypes.CDLL(None, use_errno=True).unshare(0x10000000) == 0: print('escaped', flush=True)\n"
        "  os._exit(0)\nos.wait()"
    ),
    "35 bpf, keyctl, io_uring, userfaultfd": (
        "import ctypes, errno, platform\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "numbers = {'x86_64': (321, 250, 425, 323), 'aarch64': (280, 219, 425, 282)}[platform.machine()]\n"
        "answers = []\nfor number in numbers:\n"
        "  ctypes.set_errno(0); libc.syscall(number, 0, 0, 0, 0, 0); answers.append(ctypes.get_errno())\n"
        "print('escaped' if set(answers) != {errno.EPERM} else '')"
    ),
    "37 list host processes": (
        "import os; print('escaped' if len([p for p in os.listdir('/proc') if p.isdigit()]) > 2 else '')"
    ),
}
# Not possible outside for everybody, or not to be tried there.
NO_CANARY = {"9 signal another process", "15 write into the root"}


@pytest.mark.parametrize("name", ATTEMPTS)
def test_denied(name: str) -> None:
    if name not in NO_CANARY:
        assert b"escaped" in run_outside(ATTEMPTS[name]), "the attempt does not even work outside"

    assert b"escaped" not in run_inside(ATTEMPTS[name]).stdout


def test_files_outside_are_not_there() -> None:
    """2: a secret in the home directory, and the project itself."""
    with tempfile.NamedTemporaryFile(dir=Path.home(), suffix=".agent0es-test") as secret:
        program = "import sys\nfor p in sys.argv[1:] or sys.stdin.read().split():\n  print(len(open(p).read()) >= 0)"
        paths = [secret.name, __file__, sys.prefix + "/pyvenv.cfg"]
        for path in paths:
            result = run_inside(program, stdin=path.encode())
            assert (result.exit_code, result.stdout) == (1, b"")
            assert b"FileNotFoundError" in result.stderr


def test_the_environment_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """3: an API key in the environment of this process."""
    monkeypatch.setenv("SECRET_API_KEY", "k-123")
    program = (
        "import os, glob\nprint(dict(os.environ))\nfor p in glob.glob('/proc/*/environ'):\n"
        "  try: print(open(p).read())\n  except PermissionError: pass"
    )

    assert b"k-123" in run_outside(program)
    assert b"k-123" not in run_inside(program).stdout


def test_there_is_no_network_and_no_abstract_socket() -> None:
    """10 to 14: a server of this machine, by TCP and by abstract name."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind("\0agent0es-test")
        abstract.listen()
        program = (
            "import socket, sys\nfor family, address in (\n"
            f"  (socket.AF_INET, ('127.0.0.1', {tcp.getsockname()[1]})), (socket.AF_UNIX, '\\0agent0es-test')):\n"
            "  try: socket.socket(family).connect(address); print('escaped')\n"
            "  except OSError as error: print('refused')"
        )

        assert run_outside(program).count(b"escaped") == 2
        assert run_inside(program).stdout.count(b"refused") == 2


def test_open_descriptors_do_not_leak() -> None:
    """27: a descriptor that somebody made inheritable."""
    with tempfile.TemporaryFile() as file:
        os.set_inheritable(file.fileno(), True)
        result = run_inside("import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd')))")

    assert result.stdout == b"[0, 1, 2, 3]\n"  # 3 is the listing itself


def test_has_no_privilege() -> None:
    result = run_inside(
        "import os\nprint(os.getuid() != 0, os.getgid() != 0, os.getgroups() in ([], [os.getgid()]))\n"
        "print([l.split()[1] for l in open('/proc/self/status') if l.startswith(('CapEff', 'CapPrm', 'NoNewPrivs'))])"
    )

    words = result.stdout.split(b"\n")
    assert words[1] == b"['0000000000000000', '0000000000000000', '1']"
    assert words[0].startswith(b"True True")


def test_root_can_not_be_had_back() -> None:
    program = (
        "import os\nfor f in (lambda: os.setuid(0), lambda: os.setresuid(0, 0, 0), lambda: os.chroot('/tmp')):\n"
        "  try: f(); print('escaped')\n  except OSError: print('refused')"
    )

    assert run_inside(program).stdout == b"refused\n" * 3


def test_an_endless_loop_that_ignores_signals_is_killed() -> None:
    """29."""
    result = run_inside(
        "import signal\nfor n in range(1, 65):\n"
        "  try: signal.signal(n, signal.SIG_IGN)\n  except (OSError, ValueError): pass\nwhile True: pass",
        timeout_seconds=0.5,
    )

    assert (result.ending, result.exit_code) == ("timeout", -9)
    assert result.wall_seconds < 3


def test_a_hundred_megabytes_of_output_are_not_read() -> None:
    """49."""
    result = run_inside("import os\nfor i in range(100): os.write(1, bytes(1 << 20))")

    assert result.ending == "output"
    assert len(result.stdout) == 4096
    assert result.stdout_bytes < 3 << 20


def test_standard_error_keeps_its_end() -> None:
    result = run_inside("import sys\nsys.stderr.write('x' * 10000)\nraise ValueError('the reason')")

    assert len(result.stderr) == 4096
    assert b"ValueError: the reason" in result.stderr


def test_limits_can_not_be_raised() -> None:
    """39."""
    result = run_inside("import resource as r; r.setrlimit(r.RLIMIT_AS, (-1, -1))")

    assert b"ValueError" in result.stderr


def test_an_exit_status_can_be_faked_but_not_a_kill() -> None:
    """50: the program's word is its exit status; that it was killed for time or length is seen from outside."""
    result = run_inside("import os; os.write(2, b'{ \"exit-code\": 0 }'); os._exit(77)")

    assert (result.ending, result.exit_code) == ("exited", 77)
