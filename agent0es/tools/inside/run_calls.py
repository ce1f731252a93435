"""Inside the sandbox: evaluate calls with a solution's names, each in a process of its own.

What comes back is only data; whether it is right is decided outside, where the solution has never been, so nothing here
need be trusted: a solution that writes into the wrong pipe still has to know the right value.
"""

import contextlib
import json
import os
import select
import signal
import sys
import time
import types
from typing import Any

from agent0es.tools.inside.codec import encode, scratch


def describe(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001
        text = ""
    return f"{type(error).__name__}: {text}"[:300]


def child(solution: str, call: str, out: int, most_bytes: int) -> None:
    """Load the solution, evaluate the call, write what came of it."""
    module = types.ModuleType("solution")
    sys.modules["solution"] = module
    sys.path.append(os.getcwd())
    names = module.__dict__
    names["solution"] = module
    try:
        exec(compile(solution, "solution.py", "exec", dont_inherit=True), names)
        value = eval(compile(call, "<call>", "eval", dont_inherit=True), names)  # noqa: S307
        answer: dict[str, object] = {"value": encode(value)}
    except BaseException as error:  # noqa: BLE001
        answer = {"raised": describe(error)}
    data = json.dumps(answer).encode()
    if len(data) > most_bytes:
        data = json.dumps({"raised": f"NotPlain: a result of {len(data)} bytes"}).encode()
    os.write(out, data)
    os._exit(0)


def outcome(solution: str, call: str, seconds: float, most_bytes: int) -> dict[str, Any]:
    """The result of a call, as far as its process reported it in time."""
    reading, out = os.pipe()
    printed = scratch()
    pid = os.fork()
    if pid == 0:
        try:
            with contextlib.suppress(OSError):  # one sandbox allows no groups, and ends what is left with the call
                os.setsid()
            null = scratch()
            for stream, target in ((null, 0), (printed, 1), (printed, 2), (out, 3)):
                os.dup2(stream, target)
            os.closerange(4, 256)
            child(solution, call, 3, most_bytes)
        finally:
            os._exit(1)
    os.close(out)
    data, end, deadline = b"", False, time.monotonic() + seconds
    while not end and len(data) <= most_bytes:
        if not select.select([reading], [], [], max(0.0, deadline - time.monotonic()))[0]:
            break
        piece = os.read(reading, 65536)
        data, end = data + piece, not piece
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(reading)
    said = os.pread(printed, 300, 0).decode("utf-8", "replace")
    os.close(printed)
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        answer = {}
    if not isinstance(answer, dict) or not answer.keys() & {"value", "raised"}:
        late = not end and not data
        answer = {"ended": f"no result in {seconds:g} s" if late else f"ended without a result, status {status}"}
    return {**{key: answer[key] for key in ("value", "raised", "ended") if key in answer}, "printed": said}


def main() -> None:
    """Print a line of JSON about each call, then `{"done": true}`."""
    sys.set_int_max_str_digits(0)  # time is limited anyway
    job = json.loads(sys.stdin.buffer.read())
    started = time.monotonic()
    for number, call in enumerate(job["calls"]):
        left = job["seconds"] - (time.monotonic() - started)
        answer: dict[str, Any] = {"ended": "not run: the time was up"}
        if left >= 0.05:
            answer = outcome(job["solution"], call, min(job["seconds_each"], left), job["result_bytes"])
        print(json.dumps({"number": number, **answer}), flush=True)
    print('{"done": true}')
