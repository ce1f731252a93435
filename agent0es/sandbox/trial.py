"""Puts a sandbox on trial: runs each attack in it, and looks from outside at what it did."""

import asyncio
import contextlib
import glob
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent0es.errors import TransientError
from agent0es.sandbox.attacks import ATTACKS, PRELUDE, Attack
from agent0es.sandbox.base import SandboxCommand, SandboxResult
from agent0es.sandbox.isolated import IsolatedSandbox, open_sandbox
from agent0es.sandbox.limits import SandboxLimits
from agent0es.sandbox.tiers import TierName

Verdict = Literal["denied", "escaped", "broken"]
SECRET = b"agent0es-secret-"
DENIALS = (
    *("PermissionError", "OSError", "FileNotFoundError", "ProcessLookupError", "MemoryError", "gaierror"),
    *("BlockingIOError", "ConnectionRefusedError", "NotADirectoryError", "FileExistsError"),
)
"""Exceptions that say that the system refused. Any other one is a mistake in the attack."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one attack in one tier."""

    attack: Attack
    tier: str
    verdict: Verdict
    """broken: the program did not get as far as the attack, so nothing was shown."""
    denied: tuple[str, ...]
    """What the sandbox named as refused."""
    detail: str
    """The program's last word, or what was harmed outside."""


class Scene:
    """What is there to be attacked: a secret, a victim process, a file, servers.

    Everybody may read and write the files, so that it is never their permission bits that deny.
    """

    def __init__(self) -> None:
        self.mark = f"a0es{secrets.token_hex(4)}"
        """In the name of whatever an attack leaves; 12 characters, because the kernel keeps 15 of a process's name."""
        self.secret = SECRET + secrets.token_hex(8).encode()
        self._victim: subprocess.Popen[bytes] | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Scene":
        self.folder = Path(tempfile.mkdtemp(prefix=f"scene-{self.mark}-"))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._stack.callback(self._bury)
        os.environ["AGENT0ES_SCENE_KEY"] = self.secret.decode()
        self._stack.callback(os.environ.pop, "AGENT0ES_SCENE_KEY", None)
        self.folder.chmod(0o777)
        (self.folder / "beneath").mkdir()
        (self.folder / "beneath").chmod(0o777)
        self._tcp = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._udp = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._udp.bind(("127.0.0.1", 0))
        self._unix = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        self._unix.bind(str(self.folder / "socket"))
        (self.folder / "socket").chmod(0o777)
        abstract = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0{self.mark}")
        for server in (self._unix, abstract):
            server.listen(64)
        datagrams = self._stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        datagrams.bind(str(self.folder / "datagrams"))
        (self.folder / "datagrams").chmod(0o777)
        self.reset()
        leak = os.open(self.folder / "secret", os.O_RDONLY)
        os.set_inheritable(leak, True)
        self._stack.callback(os.close, leak)
        self.leak = leak
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def reset(self) -> None:
        """As it was at the start."""
        if self._victim is None or self._victim.poll() is not None:
            program = (
                f"import sys, time; sys.stdout.write('x'); sys.stdout.flush(); time.sleep(600)  # {self.mark}-victim"
            )
            self._victim = subprocess.Popen([sys.executable, "-S", "-c", program], stdout=subprocess.PIPE, cwd="/")
            assert self._victim.stdout is not None
            self._victim.stdout.read(1)
        for name, content in (("secret", self.secret), ("victim", b"unharmed")):
            file = self.folder / name
            file.unlink(missing_ok=True)
            file.write_bytes(content)
            file.chmod(0o666)
            os.utime(file, (1_000_000_000, 1_000_000_000))
            with contextlib.suppress(OSError):  # not every file system has them
                for letter in "bde":
                    os.setxattr(file, f"user.{letter}", b"there")
        for name in ("new", "victim2", self.mark):
            (self.folder / name).unlink(missing_ok=True)
        for left in self._left():
            left.unlink(missing_ok=True)
        self._before = self._file()

    def _bury(self) -> None:
        if self._victim is not None:
            self._victim.kill()
            self._victim.communicate()

    def values(self) -> dict[str, object]:
        """The names that an attack's program finds."""
        assert self._victim is not None
        return {
            "mark": self.mark,
            "secret": str(self.folder / "secret"),
            "outside": str(self.folder),
            "outside_beneath": str(self.folder / "beneath"),
            "victim": self._victim.pid,
            "victim_file": str(self.folder / "victim"),
            "tcp_port": self._tcp.getsockname()[1],
            "udp_port": self._udp.getsockname()[1],
            "unix_path": str(self.folder / "socket"),
            "abstract": self.mark,
            "datagram_path": str(self.folder / "datagrams"),
        }

    def program(self, attack: Attack) -> str:
        """The full text of an attack."""
        return "\n".join([*(f"{name} = {value!r}" for name, value in self.values().items()), PRELUDE, attack.program])

    def harm(self) -> list[str]:
        """What has changed outside. Nothing of an attack should be left by now."""
        assert self._victim is not None
        found = [f"{left} is there" for left in self._left()]
        found += [
            f"{self.folder / name} is there" for name in ("new", "victim2", self.mark) if (self.folder / name).exists()
        ]
        if self._victim.poll() is not None:
            found.append("another process was killed")
        if self._file() != self._before:
            found.append("a file outside was changed")
        found += [f"process {pid} is left" for pid in self.processes()]
        return found

    def processes(self) -> list[int]:
        """Processes of attacks, by the name that they gave themselves."""
        found = []
        for comm in Path("/proc").glob("[0-9]*/comm"):
            with contextlib.suppress(OSError):
                if comm.read_bytes().strip() == self.mark.encode():
                    found.append(int(comm.parent.name))
        return found

    def _left(self) -> list[Path]:
        places = ("/tmp", "/dev/shm", "/tmp/agent0es-call-*", "/tmp/agent0es-call-*/d*")
        return [Path(left) for place in places for left in glob.glob(f"{place}/{self.mark}*")]  # noqa: PTH207

    def _file(self) -> object:
        file = self.folder / "victim"
        try:
            status = file.stat()
            names = os.listxattr(file)
        except OSError as error:
            return str(error)
        return (file.read_bytes(), status.st_mode, status.st_uid, status.st_mtime, sorted(names))


def judge(attack: Attack, result: SandboxResult, secret: bytes, harm: Sequence[str] = ()) -> tuple[Verdict, str]:
    """(verdict, why), of what a call gave back and of what it did outside."""
    said = b"\n".join([result.stdout, result.stderr])
    if harm:
        return "escaped", "; ".join(harm)
    if b"ESCAPED" in said:
        return "escaped", _last(said[said.index(b"ESCAPED") :])
    if secret in said or any(secret in content for content in result.files.values()):
        return "escaped", "a secret was handed back"
    if result.ending != "exited":
        return "denied", f"killed: {result.ending}"
    last = _last(result.stderr) or _last(result.stdout)
    if b"denied" in result.stdout or last.split(":")[0] in DENIALS:
        return "denied", last
    return "broken", last or f"exit status {result.exit_code}, not a word"


def _last(text: bytes) -> str:
    lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


async def run_attacks(tier: TierName | None = None, attacks: Iterable[Attack] = ATTACKS) -> AsyncIterator[Outcome]:
    """Try one attack after the other in one sandbox, which the earlier ones have not weakened if it holds."""
    with Scene() as scene:
        async with open_sandbox(tier, places=2) as sandbox:
            for attack in attacks:
                if sandbox.tier == "unsafe" and attack.canary != "unsafe":
                    continue  # it would do harm there, or nothing that can be seen
                if sandbox.tier == "unsafe" or sandbox.tier in attack.tiers:
                    yield await run_attack(sandbox, scene, attack)


async def run_attack(sandbox: IsolatedSandbox, scene: Scene, attack: Attack) -> Outcome:
    """Try one."""
    limits = SandboxLimits(timeout_seconds=attack.timeout_seconds)
    command = SandboxCommand(program=scene.program(attack), limits=limits, collect=attack.collect)
    beside = asyncio.create_task(sandbox.run(SandboxCommand(program=attack.beside))) if attack.beside else None
    try:
        if beside is not None:
            await asyncio.sleep(0.15)
        result = await sandbox.run(command)
        if beside is not None:
            await beside
    except TransientError as error:
        return Outcome(attack, sandbox.tier, "escaped", (), f"the sandbox failed: {error}")
    harm = scene.harm()
    verdict, detail = judge(attack, result, scene.secret, harm)
    if harm:
        scene.reset()
    return Outcome(attack, sandbox.tier, verdict, result.denied, detail)


def run_canary(scene: Scene, attack: Attack) -> bool:
    """Whether an attack succeeds in a plain process, as this user."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-c", scene.program(attack)],
                capture_output=True,
                cwd=folder,
                timeout=60,
                check=False,
                pass_fds=(scene.leak,),
            )
            said = done.stdout[-100_000:] + done.stderr[-100_000:]
        except subprocess.TimeoutExpired:
            said = b""
        finally:
            harm = scene.harm()
            for pid in scene.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            scene.reset()
    return b"ESCAPED" in said or bool(harm)
