"""Stands between us and a zygote, so that nothing is left when we are killed in the middle of starting it.

Bubblewrap asks the kernel to die with its parent only after it has forked; who is killed in between leaves an orphan.
Orphans beneath this process become its children, and it kills them when the *lifeline*, a pipe, closes. A supervisor
that was killed leaves its call's processes, where there are no namespaces, and its folder: these too are cleared away.
"""

import ctypes
import os
import select
import signal
import time
from collections.abc import Callable
from typing import NoReturn

from agent0es.sandbox.inside.folders import DIRECTORY, remove

LOOK_SECONDS = 0.25


def main(lifeline: int, prefix: str, command: list[str]) -> NoReturn:
    """Start the worker's command, and clear up when the lifeline closes or it ends. Exits with its status.

    `prefix` begins the names of the folders that its calls have in /tmp; empty where they have none.
    """
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])  # Ctrl-C is for who holds the line
    child = os.posix_spawn(command[0], command, os.environ, setsigmask=[])
    os.closerange(3, lifeline)
    os.closerange(lifeline + 1, 256)
    handle = os.pidfd_open(child)
    poll = select.poll()
    poll.register(lifeline, select.POLLHUP)
    poll.register(handle, select.POLLIN)
    poll.poll()
    try:
        os.killpg(0, signal.SIGCONT)  # who was stopped ends by himself too, and cleans up before
    except PermissionError:
        pass
    gone, status = all_gone(child, 2.0)
    if gone:
        finish(prefix, status)
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)  # a worker that hangs, or is still starting: it has no calls
    except ProcessLookupError:
        pass
    gone, _ = all_gone(child, 30.0)
    if gone:  # supervisors on a machine that is busy with other things: who kills one leaves its call's files
        finish(prefix)
    while True:  # one that is killed may have had children, which are ours then
        kill_children(lambda group: True)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            finish(prefix)


def all_gone(child: int, seconds: float) -> tuple[bool, int]:
    """Whether all end by themselves in that time, as they do when nobody listens any more, and clean up before; and
    with which status the worker did."""
    status = 0
    until, look = time.monotonic() + seconds, 0.0
    while time.monotonic() < until:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True, status
        if pid == child:
            status = os.waitstatus_to_exitcode(ended)
        elif pid == 0:
            if time.monotonic() >= look:
                kill_children(lambda group: group != os.getpgid(0))
                look = time.monotonic() + LOOK_SECONDS
            time.sleep(0.005)
    return False, status


def kill_children(doomed: Callable[[int], bool]) -> None:
    """Kill our children, with their process groups, that are in one that is `doomed`."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent, group = map(int, file.read().rpartition(b")")[2].split()[1:3])
                if parent == os.getpid() and doomed(group):
                    os.kill(int(name), signal.SIGKILL)
                    if group != os.getpgid(0):
                        os.killpg(group, signal.SIGKILL)
            except OSError:
                pass


def finish(prefix: str, status: int = 0) -> NoReturn:
    """Remove folders that nobody is left to remove, each as its owner: it is nobody else's that can be harmed."""
    for name in os.listdir("/tmp") if prefix else ():
        if name.startswith(prefix) and os.fork() == 0:
            try:
                place = os.open(f"/tmp/{name}", DIRECTORY)
                owner = os.fstat(place).st_uid
                if os.geteuid() == 0:
                    os.setgroups([])
                    os.setresgid(owner, owner, owner)
                    os.setresuid(owner, owner, owner)
                remove(f"/tmp/{name}")
            finally:
                os._exit(0)
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            os._exit(status if status >= 0 else 128 - status)
