# mypy: ignore-errors
# ruff: noqa: F821  (settings, socket_number and the modules kernel, folders and looking are put here by whoever executes this)
"""The warm worker: imports once what calls need, then forks for every call. It never looks at a hostile byte.

Each call has two processes. The *supervisor* makes the namespaces and the private /tmp, watches time, memory and
number of processes, and afterwards reads the files that were left. Its child *confines* itself and becomes the call.

Requests come through a socket: two descriptors of memory files (the request as marshalled data, standard input), the
two ends for output, and the *line*, a socket to the caller. The supervisor reports on the line; when the caller hangs
up, or dies, the call is killed. When the request socket closes, the zygote ends, and with it everything.
"""

import array
import errno
import hashlib
import importlib
import json
import marshal
import os
import resource
import select
import signal
import socket
import stat
import sys
import tempfile
import time
import types
import typing  # noqa: F401  programs need it, and it is slow to import
from importlib.util import spec_from_file_location

LIMIT, DENIED = 70, 77
LIMIT_ERRNOS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.EFBIG, errno.ENOSPC)
DENIED_ERRNOS = (errno.EPERM, errno.EACCES, errno.EROFS, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH)
TICK = 0.025
FIRST_LOOK = 0.05
"""Seconds after which a call is looked at more closely; most have ended by then."""
MOST_FILES, MOST_DEPTH = 64, 16
FULL, KERNEL = "full", "kernel"
PAIRS_SHARE = 8
"""The part of a call's memory that buffers of sockets may take beside it."""


class Packages:
    """Imports the packages that are listed, and nothing that lies beside them."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        place = settings["packages"].get(name)
        if path is not None or place is None:
            return None
        if place.endswith(".py"):
            return spec_from_file_location(name, place)
        return spec_from_file_location(name, f"{place}/__init__.py", submodule_search_locations=[place])

    @staticmethod
    def find_distributions(context):
        from importlib.metadata import PathDistribution
        from pathlib import Path

        wanted = None if context.name is None else context.name.lower().replace("-", "_").replace(".", "_")
        for name, place in settings["packages"].items():
            if name.endswith(".dist-info") and wanted in (None, name.lower().partition("-")[0]):  # before the version
                yield PathDistribution(Path(place))


def warm(modules):
    """Import, and do once what is slow the first time: the import alone leaves 50 ms and more for the first call."""
    for name in modules:
        importlib.import_module(name)
    if "sympy" in modules:
        import sympy
        from sympy.parsing import sympy_parser

        x = sympy.Symbol("x")
        sympy.factor(x**2 - 5 * x + 6)
        sympy.solve(x**2 - 4, x)
        sympy.integrate(sympy.sin(x) * x, x)
        sympy.limit(sympy.sin(x) / x, x, 0)
        str(sympy.expand((x + 1) ** 3)), sympy.simplify(sympy.sin(x) ** 2 + sympy.cos(x) ** 2)
        sympy_parser.parse_expr("2x + 1", transformations="all")


def serve(requests):
    """Fork a supervisor for every request until nobody asks any more."""
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    running = 0
    while True:
        ready = poll.poll(50 if running else None)
        while running:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                running = 0
                break
            if pid == 0:
                break
            running -= 1
        if not ready:
            continue
        if ready[0][1] & select.POLLHUP:  # nobody waits for what is still asked
            os._exit(0)
        data, ancillary, _, _ = requests.recvmsg(1, socket.CMSG_SPACE(5 * 4))
        if not data:
            os._exit(0)
        numbers = array.array("i")
        for _, _, part in ancillary:
            numbers.frombytes(part[: len(part) - len(part) % 4])
        if os.fork() == 0:
            requests.close()
            supervise(*numbers)
        running += 1
        for number in numbers:
            os.close(number)


def supervise(request, stdin, stdout, stderr, line_number):
    """Run one call and report how it ended. Never returns."""
    line = socket.socket(fileno=line_number)
    folder = None
    try:
        kernel.prctl(kernel.DUMPABLE, 0, "prctl")
        size = os.fstat(request).st_size
        asked = marshal.loads(os.pread(request, size, 0))
        os.close(request)
        folder = prepare(asked)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            ours.close()
            line.close()
            confine(asked, folder, stdin, stdout, stderr, theirs)
        theirs.close()
        for number in (stdin, stdout, stderr):
            os.close(number)
        report, contents = watch(child, asked, folder, ours, line, began)
    except BaseException as error:  # noqa: BLE001  whatever it is, the caller must hear of it
        report, contents = {"failure": f"{type(error).__name__}: {error}"}, []
    if folder not in (None, "/tmp"):
        try:
            folders.remove(folder)
        except OSError as error:
            report, contents = {"failure": f"what a call left can't be removed: {error}"}, []
    try:
        line.sendall(json.dumps(report).encode() + b"\n" + b"".join(contents))
        line.shutdown(socket.SHUT_RDWR)  # the caller need not wait until this process's memory is taken down
    except OSError:
        pass  # the caller has gone
    os._exit(0)


def prepare(asked):
    """The call's own place: a private /tmp in namespaces of its own, or a new folder where there are none."""
    if settings["tier"] == FULL:
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


def confine(asked, folder, stdin, stdout, stderr, to_supervisor):
    """Give up everything, then become the call. Never returns; until the last line nothing hostile has run."""
    tier = settings["tier"]
    try:
        os.setsid()
        for number, target in ((stdin, 0), (stdout, 1), (stderr, 2)):
            os.dup2(number, target, inheritable=True)
        if tier == FULL:
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
        virtual = int(open("/proc/self/statm").read().split()[0]) * 4096 if settings["statm"] else 0
        others = looking.tasks_of_user() if tier != FULL and asked["uid"] is None else 0
        kernel.libc.prctl(kernel.NO_HUGE_PAGES, 1, 0, 0, 0)  # kernels may be built without
        if tier == KERNEL and kernel.landlock_abi() < 3:
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
    status, error = run(*asked["program"])
    try:
        os.write(2, f"\n{error}".encode("utf-8", "replace")[:1000])
    finally:
        os._exit(status)  # skips the interpreter's clean-up: the kernel clears everything


def run(first, modules):
    """Execute the program's modules, then the `main` of the first; returns the exit status and one line of error."""
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.argv = [""]
    try:
        try:
            if first == "__main__":
                exec(modules[0][1], {"__name__": "__main__", "__builtins__": __builtins__})
            else:
                for name, code in modules:
                    sys.modules[name] = types.ModuleType(name)
                    exec(code, sys.modules[name].__dict__)
                sys.modules[first].main()
            threading = sys.modules.get("threading")
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


def describe(error):
    """One line about an exception whose own `__str__` may be hostile."""
    try:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
    except BaseException:  # noqa: BLE001
        text = "(its message can't be shown)"
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def classify(error):
    """Exit status for an exception that nobody caught."""
    for _ in range(5):
        if isinstance(error, MemoryError) or "can't start new thread" in error.args:
            return LIMIT
        number = getattr(error, "errno", None)
        if isinstance(error, OSError) and number in LIMIT_ERRNOS:
            return LIMIT
        # DNS without a network: getaddrinfo answers EAI_AGAIN or EAI_NONAME.
        if isinstance(error, OSError) and (number in DENIED_ERRNOS or type(error).__name__ == "gaierror"):
            return DENIED
        error = error.__cause__ or error.__context__
        if error is None:
            break
    return 1


def watch(child, asked, folder, ours, line, began):
    """Wait for the call's end, or bring it about. Returns (report, contents of files)."""
    handle = os.pidfd_open(child)
    listener, refused, ending, peak = None, {}, "exited", 0.0
    own_proc = settings["tier"] == FULL if settings["proc"] or settings["tier"] != FULL else None
    answers = Answers(asked["memory_bytes"])
    poll = select.poll()
    for number in (handle, line.fileno(), ours.fileno()):
        poll.register(number, select.POLLIN)
    over, next_look = False, FIRST_LOOK
    failure = None

    def kill(why):
        nonlocal ending
        if ending == "exited":
            ending = why
        signal.pidfd_send_signal(handle, signal.SIGKILL)

    while not over:
        elapsed = time.monotonic() - began
        if elapsed >= asked["timeout_seconds"]:
            kill("timeout")
        for number, what in poll.poll(TICK * 1000):
            if number == handle:
                over = True
            elif number == line.fileno():
                word = line.recv(1)
                poll.unregister(number)
                kill("output" if word == b"o" else "timeout")
            elif number == ours.fileno():
                word, given, _, _ = socket.recv_fds(ours, 512, 1)
                if given:
                    [listener] = given
                    poll.register(listener, select.POLLIN)
                elif word[:1] == b"f":
                    failure = word[1:].decode()
                elif not word:  # it has become the call
                    poll.unregister(ours)
            elif number == listener:
                if what & select.POLLIN:
                    call = kernel.answer_announced(listener, answers.complaint)
                    if call is not None and len(refused) < 64:
                        refused[call] = refused.get(call, 0) + 1
                else:
                    poll.unregister(listener)
        if not over and elapsed >= next_look:  # not after every refused call
            next_look = elapsed + TICK
            used, count, over_memory = looking.memory_of(own_proc, asked["memory_bytes"])
            peak = max(peak, used)
            if over_memory:
                kill("memory")
            elif count > asked["processes"]:
                kill("processes")
            elif settings["tier"] != FULL and looking.too_large(folder, asked["disk_bytes"], asked["inodes"]):
                kill("disk")
    if settings["tier"] != FULL:
        try:  # all at once, and before its leader is waited for, as long as the group's number is surely its own
            os.killpg(child, signal.SIGKILL)
        except OSError:
            pass
    _, status, usage = os.wait4(child, 0)
    if settings["tier"] != FULL:
        usage = kill_the_rest(usage)
    if failure is not None:
        raise OSError(failure)
    report = {
        "status": status,
        "ending": ending,
        "refused": sorted(refused),
        "wall_seconds": time.monotonic() - began,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": max(peak, usage.ru_maxrss * 1024 - settings["resident"], 0),
    }
    report["files"], contents = collected(folder, asked)
    return report, contents


class Answers:
    """What is said to a call that asks for what is announced. Pairs of sockets it may have, but not too many: each may
    hold memory that is counted for no process."""

    def __init__(self, memory_bytes):
        self.pairs_left = max(4, min(128, memory_bytes // PAIRS_SHARE // (2 * settings["socket_buffer"])))

    def complaint(self, number, arguments):
        """An errno; 0 where the system call may go on."""
        if number in settings["not_supported"]:
            return errno.ENOTSUP
        family, kind = arguments[0] & 0xFFFFFFFF, arguments[1] & 0xF
        if number != settings["socketpair"] or family != kernel.UNIX or kind not in kernel.KINDS:
            return errno.EPERM
        if self.pairs_left == 0:
            return errno.EPERM
        self.pairs_left -= 1
        return 0


def kill_the_rest(usage):
    """Without a namespace that dies with its first process: what the call left behind is adopted by us, and killed."""
    while True:
        for pid in looking.family(False):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            os.wait4(-1, 0)
        except ChildProcessError:
            return usage


def collected(folder, asked):
    """What lies in the folder now: ([path, bytes, sha256 or None, length sent or -1], …) and the contents to send.

    Regular files only, opened without following a link and without waiting for a pipe. Nothing hostile runs any more.
    A name that is not UTF-8, which nothing can store, is told with its bytes escaped, and what the file holds not sent.
    """
    found, contents, left = [], [], [("", 0)]
    budget = asked["disk_bytes"]
    while left:
        place, depth = left.pop()
        try:
            entries = sorted(os.scandir(f"{folder}/{place}"), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            path = f"{place}/{entry.name}".lstrip("/")
            shown = path.encode("utf-8", "backslashreplace").decode()
            try:
                if entry.is_dir(follow_symlinks=False):
                    if depth < MOST_DEPTH:
                        left.append((path, depth + 1))
                    continue
                if not entry.is_file(follow_symlinks=False) or len(found) >= MOST_FILES:
                    continue
                number = os.open(f"{folder}/{path}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                continue
            with open(number, "rb") as file:
                if not stat.S_ISREG(os.fstat(number).st_mode):
                    continue
                content = file.read(budget + 1)
            if len(content) > budget:
                continue
            budget -= len(content)
            sent = asked["collect"] and shown == path
            found.append([shown, len(content), hashlib.sha256(content).hexdigest(), len(content) if sent else -1])
            contents += [content] if sent else []
    return found, contents


sys.meta_path.append(Packages)
warm(settings["preload"])
import gc  # noqa: E402

gc.collect()
gc.freeze()  # so that a collection in a child does not touch, and so copy, what all share
settings["statm"] = os.path.exists("/proc/self/statm")
if settings["statm"]:
    kernel.use_huge_pages()
settings["resident"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
requests = socket.socket(fileno=socket_number)
requests.send(b"ready")
serve(requests)
