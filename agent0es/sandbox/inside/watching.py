"""The supervisor's part: watch a call's time, memory and processes from outside, and read what it left."""

import errno
import hashlib
import os
import select
import signal
import socket
import stat
import time
from collections.abc import Sequence

from agent0es.sandbox.inside import kernel, looking
from agent0es.sandbox.inside.settings import Asked, Report, Settings

TICK = 0.025
FIRST_LOOK = 0.05
"""Seconds after which a call is looked at more closely; most have ended by then."""
MOST_FILES, MOST_DEPTH = 64, 16
PAIRS_SHARE = 8
"""The part of a call's memory that buffers of sockets may take beside it."""


def watch(
    child: int,
    asked: Asked,
    settings: Settings,
    resident: int,
    folder: str,
    ours: socket.socket,
    line: socket.socket,
    began: float,
) -> tuple[Report, list[bytes]]:
    """Wait for the call's end, or bring it about. Returns (report, contents of files).

    `resident` is what the worker itself has in memory, in bytes.
    """
    handle = os.pidfd_open(child)
    listener: int | None = None
    refused: dict[int, int] = {}
    ending, peak = "exited", 0.0
    own_proc = settings["tier"] == "full" if settings["proc"] or settings["tier"] != "full" else None
    answers = Answers(asked["memory_bytes"], settings)
    poll = select.poll()
    for number in (handle, line.fileno(), ours.fileno()):
        poll.register(number, select.POLLIN)
    over, next_look = False, FIRST_LOOK
    failure: str | None = None

    def kill(why: str) -> None:
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
                    call = kernel.answer_announced(number, answers.complaint)
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
            elif settings["tier"] != "full" and looking.too_large(folder, asked["disk_bytes"], asked["inodes"]):
                kill("disk")
    if settings["tier"] != "full":
        try:  # all at once, and before its leader is waited for, as long as the group's number is surely its own
            os.killpg(child, signal.SIGKILL)
        except OSError:
            pass
    _, status, usage = os.wait4(child, 0)
    if settings["tier"] != "full":
        kill_the_rest()
    if failure is not None:
        raise OSError(failure)
    report: Report = {
        "status": status,
        "ending": ending,
        "refused": sorted(refused),
        "wall_seconds": time.monotonic() - began,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": max(peak, usage.ru_maxrss * 1024 - resident, 0),
    }
    report["files"], contents = collected(folder, asked)
    return report, contents


class Answers:
    """What is said to a call that asks for what is announced. Pairs of sockets it may have, but not too many: each may
    hold memory that is counted for no process."""

    def __init__(self, memory_bytes: int, settings: Settings) -> None:
        self.settings = settings
        self.pairs_left = max(4, min(128, memory_bytes // PAIRS_SHARE // (2 * settings["socket_buffer"])))

    def complaint(self, number: int, arguments: Sequence[int]) -> int:
        """An errno; 0 where the system call may go on."""
        if number in self.settings["not_supported"]:
            return errno.ENOTSUP
        family, kind = arguments[0] & 0xFFFFFFFF, arguments[1] & 0xF
        if number != self.settings["socketpair"] or family != kernel.UNIX or kind not in kernel.KINDS:
            return errno.EPERM
        if self.pairs_left == 0:
            return errno.EPERM
        self.pairs_left -= 1
        return 0


def kill_the_rest() -> None:
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
            return


def collected(folder: str, asked: Asked) -> tuple[list[tuple[str, int, str, int]], list[bytes]]:
    """What lies in the folder now: ([path, bytes, sha256 or None, length sent or -1], …) and the contents to send.

    Regular files only, opened without following a link and without waiting for a pipe. Nothing hostile runs any more.
    A name that is not UTF-8, which nothing can store, is told with its bytes escaped, and what the file holds not sent.
    """
    found: list[tuple[str, int, str, int]] = []
    contents: list[bytes] = []
    left = [("", 0)]
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
            found.append((shown, len(content), hashlib.sha256(content).hexdigest(), len(content) if sent else -1))
            contents += [content] if sent else []
    return found, contents
