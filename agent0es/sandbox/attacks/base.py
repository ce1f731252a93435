"""What an attack on the sandbox is, and the few lines that all of them start with."""

from dataclasses import dataclass
from typing import Literal

from agent0es.sandbox.tiers import TierName

Canary = Literal["unsafe", "outside", "none"]


@dataclass(frozen=True, slots=True)
class Attack:
    """A program that prints ESCAPED exactly when it succeeded.

    It is denied when it says so, dies of an OSError, or is killed; a program that ends in another way is broken, and
    proves nothing. What it may do to the machine without saying so is looked at from outside (`trial.Scene.harm`).
    The names that it finds are those of `PRELUDE` and of `trial.Scene.values`.
    """

    name: str
    program: str
    row: str = ""
    """Of the list of escapes that the design keeps; empty for one that was added."""
    tiers: tuple[TierName, ...] = ("full", "kernel")
    """Where it must be denied."""
    canary: Canary = "unsafe"
    """Where the same program must succeed, else its denial would prove nothing: in the unsafe tier, or in a plain process
    where rlimits alone already stop it."""
    no_canary: str = ""
    """Why there is none."""
    canary_needs_root: bool = False
    beside: str = ""
    """Program of another call that runs at the same time in the same sandbox."""
    collect: bool = False
    timeout_seconds: float = 5.0

    def __post_init__(self) -> None:
        if (self.canary == "none") != bool(self.no_canary):
            raise ValueError(f"attack {self.name!r}: a canary, or the reason why there is none")


PRELUDE = """
import ctypes, errno, os, signal, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.prctl(15, mark.encode(), 0, 0, 0)  # the name by which what is left of it is found
def syscall(x86, arm, *arguments):
    number = {"x86_64": x86, "aarch64": arm}[os.uname().machine]
    if number < 0:
        raise OSError(errno.ENOSYS, "not on this architecture")
    ctypes.set_errno(0)
    result = libc.syscall(number, *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def gets_through(*call):
    # The kernel complains about the arguments only when the call has reached it.
    try:
        syscall(*call)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENOSYS):
            raise
    print("ESCAPED")
def any_of(*attempts):
    last = None
    for attempt in attempts:
        try:
            attempt()
        except (OSError, ValueError) as error:
            last = error
        else:
            return print("ESCAPED")
    print("denied:", last)
def in_a_child(attempt):
    # For what would change this process, and so the supervisor's view of it or a canary's folder.
    sys.stdout.flush()
    if os.fork() == 0:
        try:
            attempt()
            os.write(1, b"ESCAPED\\n")
        except OSError as error:
            os.write(1, f"denied: {error}\\n".encode())
        os._exit(0)
    os.wait()
"""
