"""The warm worker: imports once what calls need, then forks for every call. It never looks at a hostile byte.

Each call has two processes. The *supervisor* makes the namespaces and the private /tmp, watches time, memory and
number of processes (`watching.py`), and afterwards reads the files that were left. Its child *confines* itself and
becomes the call (`confining.py`).

Requests come through a socket: two descriptors of memory files (the request as marshalled data, standard input), the
two ends for output, and the *line*, a socket to the caller. The supervisor reports on the line; when the caller hangs
up, or dies, the call is killed. When the request socket closes, the zygote ends, and with it everything.
"""

import array
import gc
import json
import marshal
import os
import resource
import select
import socket
import sys
import time
from typing import NoReturn

from agent0es.sandbox.inside import folders, kernel
from agent0es.sandbox.inside.confining import confine, prepare
from agent0es.sandbox.inside.settings import Asked, Report, Settings
from agent0es.sandbox.inside.warming import Packages, warm
from agent0es.sandbox.inside.watching import watch


def main(settings: Settings, socket_number: int) -> NoReturn:
    """Warm up, say so, and serve."""
    sys.meta_path.append(Packages(settings["packages"]))
    warm(settings["preload"])
    gc.collect()
    gc.freeze()  # so that a collection in a child does not touch, and so copy, what all share
    if os.path.exists("/proc/self/maps"):
        kernel.use_huge_pages()
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    requests = socket.socket(fileno=socket_number)
    requests.send(b"ready")
    serve(requests, settings, resident)


def serve(requests: socket.socket, settings: Settings, resident: int) -> NoReturn:
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
        numbers: array.array[int] = array.array("i")
        for _, _, part in ancillary:
            numbers.frombytes(part[: len(part) - len(part) % 4])
        if os.fork() == 0:
            requests.close()
            supervise(settings, resident, *numbers)
        running += 1
        for number in numbers:
            os.close(number)


def supervise(
    settings: Settings, resident: int, request: int, stdin: int, stdout: int, stderr: int, line_number: int
) -> NoReturn:
    """Run one call and report how it ended. Never returns."""
    line = socket.socket(fileno=line_number)
    folder: str | None = None
    report: Report
    contents: list[bytes]
    try:
        kernel.prctl(kernel.DUMPABLE, 0, "prctl")
        size = os.fstat(request).st_size
        asked: Asked = marshal.loads(os.pread(request, size, 0))
        os.close(request)
        folder = prepare(asked, settings)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            ours.close()
            line.close()
            confine(asked, settings, folder, (stdin, stdout, stderr), theirs)
        theirs.close()
        for number in (stdin, stdout, stderr):
            os.close(number)
        report, contents = watch(child, asked, settings, resident, folder, ours, line, began)
    except BaseException as error:  # noqa: BLE001  whatever it is, the caller must hear of it
        report, contents = {"failure": f"{type(error).__name__}: {error}"}, []
    if folder is not None and folder != "/tmp":
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
