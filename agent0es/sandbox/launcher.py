# mypy: ignore-errors
# ruff: noqa: F821  (settings and program are put here by whoever executes this)
"""The first code that runs inside: gives up what is left of privilege, sets limits, then hands over.

Never imported: its compiled form is sent in front of the command's standard input and executed by a bare interpreter
(no site, nothing of this package), in which `settings` and `program` are defined. Everything here happens before
the first hostile byte is looked at; after the hand-over nothing here is trusted any more.

Exit statuses that it adds: 1 an exception, LIMIT out of memory, processes or disk, DENIED refused by the sandbox.
"""

import posix
import sys

LIMIT, DENIED = 70, 77
LIMIT_ERRNOS = (11, 12, 24, 27, 28)  # EAGAIN (fork), ENOMEM, EMFILE, EFBIG, ENOSPC
DENIED_ERRNOS = (1, 13, 30, 100, 101, 113)  # EPERM, EACCES, EROFS, ENETDOWN, ENETUNREACH, EHOSTUNREACH
TRAILER = "\n\x1epeak_kb="


def give_up_root(uid):
    """Go on as an unprivileged child, since RLIMIT_NPROC binds nobody who is uid 0; the parent waits and passes on.

    The parent stays uid 0, in which there is nothing left but waiting, for --die-with-parent: the kernel delivers that
    signal with the rights of the dying bubblewrap, which has no capabilities and may not kill another uid.
    """
    child = posix.fork()
    if child:
        while True:
            pid, status = posix.wait()
            if pid == child:
                code = posix.waitstatus_to_exitcode(status)
                posix._exit(code if code >= 0 else 128 - code)
    posix.setgroups([])
    posix.setresgid(uid, uid, uid)
    posix.setresuid(uid, uid, uid)


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


def finish_threads():
    """Wait for threads, as the interpreter would at exit, if there can be any."""
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()


def run(code):
    """Execute the program; returns the exit status and one line of error."""
    try:
        try:
            exec(code, {"__name__": "__main__"})
            finish_threads()
        finally:
            sys.stdout.flush()
        return 0, ""
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return int(stop.code or 0) & 0xFF, ""
        return 1, f"SystemExit: {stop.code}"
    except BaseException as error:  # noqa: BLE001  whatever it is, it ends here
        return classify(error), describe(error)


if settings["uid"] is not None:
    give_up_root(settings["uid"])
import resource  # noqa: E402  after the uid change: loading it needs no privilege

for which, bound in settings["rlimits"]:
    resource.setrlimit(which, (bound, bound))
if program is None:
    posix.execve(settings["argv"][0], settings["argv"], posix.environ)
sys.path.append("/packages")
status, line = run(program)
peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    posix.write(2, b"\n" + line.encode("utf-8", "replace")[:1000] + f"{TRAILER}{peak_kb}".encode())
finally:
    # Skips the interpreter's clean-up, 1 ms for nothing: the kernel clears the whole namespace.
    posix._exit(status)
