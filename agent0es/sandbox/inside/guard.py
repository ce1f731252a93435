# mypy: ignore-errors
"""Stands between us and a zygote, so that nothing is left when we are killed in the middle of starting it.

Bubblewrap asks the kernel to die with its parent only after it has forked; who is killed in between leaves an orphan.
Orphans beneath this process become its children, and it kills them when the *lifeline*, a pipe, closes.
"""

import ctypes
import os
import select
import signal
import sys
import time

lifeline = int(sys.argv[1])
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])  # Ctrl-C is for the one who holds the line
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ, setsigmask=[])
os.closerange(3, lifeline)
os.closerange(lifeline + 1, 256)
handle = os.pidfd_open(child)
poll = select.poll()
poll.register(lifeline, select.POLLHUP)
poll.register(handle, select.POLLIN)
poll.poll()


def all_gone(seconds):
    """Whether all end by themselves in that time, as they do when nobody listens any more, and clean up before."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.005)
        except ChildProcessError:
            return True
    return False


if all_gone(2.0):
    os._exit(0)
try:
    signal.pidfd_send_signal(handle, signal.SIGKILL)  # a worker that hangs, or is still starting: it has no calls
except ProcessLookupError:
    pass
if all_gone(30.0):  # supervisors on a machine that is busy with other things: who kills one leaves its call's files
    os._exit(0)
while True:  # one that is killed may have had children, which are ours then
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    if int(file.read().rpartition(b")")[2].split()[1]) == os.getpid():
                        os.kill(int(name), signal.SIGKILL)
            except OSError:
                pass
    try:
        os.waitpid(-1, 0)
    except ChildProcessError:
        os._exit(0)
