"""Give up everything, then become the call."""

import builtins
import errno
import os
import resource
import signal
import socket
import sys
import tempfile
import types
from typing import Any, NoReturn

from agent0es.sandbox.inside import kernel, looking
from agent0es.sandbox.inside.settings import DENIED, LIMIT, Asked, Modules, Settings

LIMIT_ERRNOS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.EFBIG, errno.ENOSPC)
DENIED_ERRNOS = (errno.EPERM, errno.EACCES, errno.EROFS, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH)


def prepare(asked: Asked, settings: Settings) -> str:
    """The call's own place: a private /tmp in namespaces of its own, or a new folder where there are none."""
    if settings["tier"] == "full":
        if asked["uid"] is None and settings["proc"]:  # one user for all calls: so are their processes counted apart
            kernel.prctl(kernel.DUMPABLE, 1, "prctl")
            kernel.unshare_user()
            kernel.prctl(kernel.DUMPABLE, 0, "prctl")
        kernel.unshare(kernel.NEWNS | kernel.NEWPID)
        kernel.mount("none", "/", None, kernel.RECURSIVE | kernel.PRIVATE)
        options = f"size={asked['disk_bytes']},nr_inodes={asked['inodes']},mode=1777"
        kernel.mount("tmpfs", "/tmp", "tmpfs", kernel.NOSUID | kernel.NODEV, options)
        return "/tmp"
    kernel.prctl(kernel.SUBREAPER, 1, "prctl")
    if asked["uid"] is not None:
        kernel.become(asked["uid"], settings["may_read"])
        kernel.prctl(kernel.DUMPABLE, 0, "prctl")
    return tempfile.mkdtemp(prefix=settings["prefix"], dir="/tmp")


def confine(
    asked: Asked, settings: Settings, folder: str, streams: tuple[int, int, int], to_supervisor: socket.socket
) -> NoReturn:
    """Give up everything, then become the call. Never returns; until the last line nothing hostile has run."""
    tier = settings["tier"]
    try:
        os.setsid()
        for target, number in enumerate(streams):
            os.dup2(number, target, inheritable=True)
        if tier == "full":
            if settings["proc"]:
                kernel.mount("proc", "/proc", "proc", kernel.NOSUID | kernel.NODEV | kernel.NOEXEC)
            if asked["uid"] is not None:
                kernel.become(asked["uid"], False)
            kernel.drop_capabilities()
        kernel.prctl(kernel.PDEATHSIG, signal.SIGKILL, "prctl")  # here, because another uid takes it back
        kernel.prctl(kernel.DUMPABLE, 1, "prctl")  # so that the supervisor may read how much memory it takes
        os.chdir(folder)
        os.environ.clear()
        os.environ.update({**settings["environment"], "HOME": folder, "TMPDIR": folder})
        tempfile.tempdir = None
        for path, content in asked["files"].items():
            place = os.path.dirname(path)
            if place:
                os.makedirs(place, exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)
        kernel.checked(kernel.libc.prctl(kernel.NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        virtual = mapped()
        others = looking.tasks_of_user() if tier != "full" and asked["uid"] is None else 0
        kernel.libc.prctl(kernel.NO_HUGE_PAGES, 1, 0, 0, 0)  # kernels may be built without
        if tier == "kernel" and kernel.landlock_abi() < 3:
            raise OSError(errno.ENOSYS, "the kernel tier needs Landlock ABI 3 (Linux 6.2), to deny truncate")
        if tier != "unsafe":
            kernel.landlock(settings["readable"], [*settings["writable"], folder])
        keep = settings["listener_by"]
        os.dup2(to_supervisor.detach(), keep)
        to_supervisor = socket.socket(fileno=keep)
        for which, bound in asked["rlimits"]:
            bound += others if which == resource.RLIMIT_NPROC else 0
            if which == resource.RLIMIT_AS:
                bound += 0 if asked["program"] is None else virtual  # what the zygote has mapped is not the call's
            resource.setrlimit(which, (bound, bound))
        os.closerange(3, keep)
        os.closerange(keep + 1, 1024)
        if settings["seccomp"]:
            listener = kernel.seccomp(settings["seccomp"], settings["announce"])
            if settings["announce"]:
                socket.send_fds(to_supervisor, [b"l"], [listener])
                os.close(listener)
        to_supervisor.close()
    except BaseException as error:  # noqa: BLE001
        try:
            to_supervisor.send(b"f" + f"{type(error).__name__}: {error}".encode()[:500])
        finally:
            os._exit(1)
    if asked["program"] is None:
        try:
            os.execve(asked["argv"][0], asked["argv"], dict(os.environ))
        except OSError as error:
            os.write(2, f"{asked['argv'][0]}: {error.strerror}\n".encode())
            os._exit(127)
    status, complaint = run(*asked["program"])
    try:
        os.write(2, f"\n{complaint}".encode("utf-8", "replace")[:1000])
    finally:
        os._exit(status)  # skips the interpreter's clean-up: the kernel clears everything


def mapped() -> int:
    """Bytes of address space that this process has; 0 where there is no /proc."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * 4096
    except OSError:
        return 0


def run(first: str, modules: Modules) -> tuple[int, str]:
    """Execute the program's modules, then the `main` of the first; returns the exit status and one line of error."""
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.argv = [""]
    try:
        try:
            if first == "__main__":
                exec(modules[0][1], {"__name__": "__main__", "__builtins__": builtins})
            else:
                for name, code in modules:
                    module = sys.modules[name] = types.ModuleType(name)
                    exec(code, module.__dict__)
                    above, _, last = name.rpartition(".")
                    setattr(sys.modules.setdefault(above, types.ModuleType(above)), last, module)
                sys.modules[first].__dict__["main"]()
            threading: Any = sys.modules.get("threading")
            if threading is not None:
                threading._shutdown()  # waits for threads, as the interpreter would at exit
        finally:
            sys.stdout.flush()
        return 0, ""
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return int(stop.code or 0) & 0xFF, ""
        return 1, f"SystemExit: {stop.code}"
    except BaseException as error:  # noqa: BLE001  whatever it is, it ends here
        return classify(error), describe(error)


def describe(error: BaseException) -> str:
    """One line about an exception whose own `__str__` may be hostile."""
    try:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
    except BaseException:  # noqa: BLE001
        text = "(its message can't be shown)"
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def classify(error: BaseException | None) -> int:
    """Exit status for an exception that nobody caught."""
    for _ in range(5):
        if error is None:
            break
        if isinstance(error, MemoryError) or "can't start new thread" in error.args:
            return LIMIT
        number = getattr(error, "errno", None)
        if isinstance(error, OSError) and number in LIMIT_ERRNOS:
            return LIMIT
        # DNS without a network: getaddrinfo answers EAI_AGAIN or EAI_NONAME.
        if isinstance(error, OSError) and (number in DENIED_ERRNOS or type(error).__name__ == "gaierror"):
            return DENIED
        error = error.__cause__ or error.__context__
    return 1
