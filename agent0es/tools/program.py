"""Trusted program, hostile data, and a result that is judged from outside."""

import hashlib
import json
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol

from agent0es.domain.program import Program
from agent0es.sandbox import Sandbox, SandboxCommand, SandboxLimits, SandboxResult
from agent0es.sandbox.inside.settings import DENIED, LIMIT
from agent0es.sandbox.programs import program_of
from agent0es.tools import workdir
from agent0es.tools.base import ToolLimits, ToolResult, ToolStatus, WrittenFile, refused

INPUT_LIMIT_BYTES = 1 << 16
AUDIT_BYTES = 1 << 15
"""What the log keeps of standard output and of standard error, each; stored once by its hash."""
ERROR_CHARACTERS = 300
TRUNCATED = "… [truncated]"
NO_OUTPUT = "(no output)"
# Terminal control sequences: CSI, OSC up to its end, and two-character escapes. Linear: no part can match the next.
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_a-z])")


IMPORTS_SYMPY = re.compile(r"^(?:import|from) sympy\b", re.MULTILINE)

Reader = Callable[[bytes], tuple[ToolStatus, str]]
"""Reads standard output: (status, what the model reads). Pure; never raises, whatever the bytes."""


class RunProgram(Protocol):
    """Runs a program of ours on data, under limits."""

    async def __call__(self, program: Program, data: str, limits: ToolLimits) -> ToolResult: ...


def inside(name: str) -> Program:
    """The program that begins with this module of `inside/`."""
    return program_of(f"agent0es.tools.inside.{name}")


async def run_on_text(
    sandbox: Sandbox,
    program: Program,
    text: str,
    allowed: Sequence[str] | None,
    limits: ToolLimits,
    *,
    files: Mapping[str, str] | None = None,
    preload: tuple[str, ...] | None = None,
) -> ToolResult:
    """Run a program on `{"text": …, "allowed": […]}`: the student's words, and what may be used of the tool."""
    plain = text.encode("utf-8", "replace")
    if len(plain) > INPUT_LIMIT_BYTES:
        return refused(f"InputError: longer than {INPUT_LIMIT_BYTES} bytes", "input", tier=sandbox.tier)
    data = json.dumps({"text": plain.decode(), "allowed": allowed})
    most = 8 * INPUT_LIMIT_BYTES  # a character of several bytes is six of JSON
    return await run_program(sandbox, program, data, limits, files=files, preload=preload, input_limit_bytes=most)


async def run_program(
    sandbox: Sandbox,
    program: Program | str,
    data: str | bytes,
    limits: ToolLimits,
    *,
    files: Mapping[str, str] | None = None,
    preload: tuple[str, ...] | None = None,
    input_limit_bytes: int = INPUT_LIMIT_BYTES,
    read: Reader | None = None,
) -> ToolResult:
    """Run `program`, which is ours, on `data`, which is not: the program reads it from `sys.stdin.buffer`.

    SymPy can be imported; `preload` says whether it is there already, None that it is where the program begins with
    importing it. With `files` these lie in the working directory, and what is there afterwards is in the
    result. `output` is what was printed, or what `read` makes of that, or one line that says what went wrong. A program
    that *executes* its data (`parse_expr`, `eval`) lets the data print whatever it likes, a verdict included: where the
    answer decides something, read hostile text with `ast` and build values from the nodes.
    """
    stdin = data.encode("utf-8", "replace") if isinstance(data, str) else data
    if len(stdin) > input_limit_bytes:
        return refused(f"InputError: longer than {input_limit_bytes} bytes", "input", tier=sandbox.tier)
    if files is not None and (complaint := workdir.complaint(files)) is not None:
        return refused(complaint, "files", tier=sandbox.tier)
    bounds = SandboxLimits(
        timeout_seconds=limits.timeout_seconds,
        memory_limit_mb=limits.memory_limit_mb,
        output_limit_bytes=max(limits.output_limit_bytes, SandboxLimits().output_kill_bytes),
    )
    ended = await sandbox.run(
        SandboxCommand(
            program=program,
            stdin=stdin,
            limits=bounds,
            files=workdir.encoded(files or {}),
            collect=files is not None,
            preload=_preload(program) if preload is None else preload,
        )
    )
    return judged(ended, limits, files, read)


@lru_cache(maxsize=64)
def _preload(program: Program | str) -> tuple[str, ...]:
    texts = [program] if isinstance(program, str) else program.modules.values()
    return ("sympy",) if any(IMPORTS_SYMPY.search(text) for text in texts) else ()


def judged(
    ended: SandboxResult, limits: ToolLimits, files: Mapping[str, str] | None, read: Reader | None = None
) -> ToolResult:
    """The result of a command, seen from outside. `files` is the working directory before; None without one."""
    errors = ended.stderr.strip(b"\n")
    status = _status(ended, limits)
    if status != "ok":
        output = _complaint(status, ended, errors, limits)
    elif read is None:
        output = _shown(sanitise(ended.stdout[: limits.output_limit_bytes]), ended.stdout_bytes, limits)
    else:
        status, output = read(ended.stdout)
        output = _shown(output[: limits.output_limit_bytes], len(output), limits)
    denied = _denied(output, ended.denied) if status == "denied" else ended.denied
    after = files
    written: tuple[WrittenFile, ...] = ()
    if files is not None:
        after, written, complaint = workdir.after(files, ended.files)
        if complaint is not None:
            output = f"{output}\n{complaint}" if status == "ok" else output
            if after is files:
                status = "limit" if status == "ok" else status
    killed = ended.ending != "exited" or ended.exit_code in (-signal.SIGKILL, -signal.SIGXCPU)
    exited = not killed and ended.stdout_bytes == len(ended.stdout)
    stdout = excerpt(ended.stdout)
    return ToolResult(
        status=status,
        output=output,
        exit_code=ended.exit_code,
        stdout_bytes=ended.stdout_bytes,
        stderr_bytes=len(errors),
        wall_seconds=ended.wall_seconds,
        cpu_seconds=ended.cpu_seconds,
        peak_memory_mb=ended.peak_memory_mb,
        tier=ended.tier,
        denied=denied,
        files=None if after == files else after,
        written=written,
        stdout=stdout if exited and stdout.rstrip() not in ("", output) else None,
        stdout_sha256=_hash(ended.stdout) if exited else None,
        stderr=excerpt(errors) if exited and errors else None,
        stderr_sha256=_hash(errors) if exited else None,
    )


def excerpt(data: bytes) -> str:
    """Text for the audit: all of it up to the limit, else its head and its tail."""
    if len(data) <= AUDIT_BYTES:
        return sanitise(data)
    half = AUDIT_BYTES // 2
    return f"{sanitise(data[:half])}\n… [{len(data) - 2 * half} bytes left out] …\n{sanitise(data[-half:])}"


def _hash(data: bytes) -> str | None:
    return hashlib.sha256(data).hexdigest() if data else None


def sanitise(data: bytes) -> str:
    """Text that is safe to print and to log: no terminal escapes, no control or direction-changing characters."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    text = ESCAPES.sub("", text)
    if text.isprintable():
        return text
    # What str calls not printable: controls, invisible formatting (bidi, zero width), private use, odd white space.
    return "".join(one if one.isprintable() or one in "\n\t" else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"


def _shown(text: str, size: int, limits: ToolLimits) -> str:
    if size > limits.output_limit_bytes:
        return text.removesuffix("\ufffd") + TRUNCATED  # the cut may have split a character
    return text.rstrip() or NO_OUTPUT


def _status(ended: SandboxResult, limits: ToolLimits) -> ToolStatus:
    """Timeouts, kills and crashes are facts from outside. The rest is the call's exit status, which the code that
    it ran can fake, to its own harm alone: `ok` says that the code ended well, never that its output is true."""
    if ended.ending == "timeout":
        return "timeout"
    if ended.ending != "exited" or ended.exit_code == LIMIT:
        return "limit"
    if ended.exit_code in (-signal.SIGKILL, -signal.SIGXCPU):
        return "timeout" if ended.cpu_seconds >= limits.timeout_seconds else "limit"
    if ended.exit_code == DENIED:
        return "denied"
    return "ok" if ended.exit_code == 0 else "error"


def _complaint(status: ToolStatus, ended: SandboxResult, errors: bytes, limits: ToolLimits) -> str:
    """One line for the model."""
    if status == "timeout":
        return f"TimeoutError: stopped after {limits.timeout_seconds:g} s"
    if ended.ending == "output":
        return "OutputError: printed too much and was stopped"
    if ended.ending == "memory":
        return f"MemoryError: more than {limits.memory_limit_mb} MB"
    if ended.ending in ("processes", "disk"):
        return f"LimitError: too many {'processes' if ended.ending == 'processes' else 'or too large files'}"
    if ended.exit_code < 0:
        return f"Crash: killed by {_signal_name(-ended.exit_code)}"
    lines = [line.strip() for line in sanitise(errors).splitlines() if line.strip()]
    line = lines[-1] if lines else f"Error: exit status {ended.exit_code}"
    if line == "MemoryError":
        line += f": more than {limits.memory_limit_mb} MB"
    return line if len(line) <= ERROR_CHARACTERS else line[:ERROR_CHARACTERS] + TRUNCATED


def _denied(line: str, seen: tuple[str, ...]) -> tuple[str, ...]:
    """What was refused. Our own refusals inside are named by the line that says so, and look like a refused file from
    outside; what else was seen from there stays, whatever a line pretends."""
    module = re.match(r"ModuleNotFoundError: module '(\w{1,40})' is not available", line)
    other = re.match(r"NotAllowed: ([ -~]{1,60})", line)
    if module is None and other is None:
        return seen or ("sandbox",)
    own = f"module {module[1]}" if module is not None else other[1] if other is not None else ""
    return (own, *(word for word in seen if word != "file"))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
