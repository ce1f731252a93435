"""Trusted program, hostile data, and a result that is judged from outside."""

import re
import signal

from agent0es.sandbox import Sandbox, SandboxCommand, SandboxLimits, SandboxResult
from agent0es.tools.base import ToolLimits, ToolResult, ToolStatus

EXIT_LIMIT, EXIT_DENIED = 70, 77
"""Exit statuses of `agent0es.sandbox.launcher`."""
INPUT_LIMIT_BYTES = 1 << 16
ERROR_CHARACTERS = 300
TRUNCATED = "… [truncated]"
NO_OUTPUT = "(no output)"
TRAILER = b"\n\x1epeak_kb="
# Terminal control sequences: CSI, OSC up to its end, and two-character escapes. Linear: no part can match the next.
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_a-z])")


async def run_program(sandbox: Sandbox, program: str, data: str, limits: ToolLimits) -> ToolResult:
    """Run `program`, which is ours, on `data`, which is not: the program reads it from `sys.stdin.buffer`.

    SymPy can be imported. `output` is what was printed, or one line that says what went wrong. A program that
    *executes* its data (`sympify`, `parse_expr`, `eval`) lets the data print whatever it likes, a verdict included:
    where the answer decides something, read hostile text with `ast` and build values from the nodes.
    """
    stdin = data.encode("utf-8", "replace")
    if len(stdin) > INPUT_LIMIT_BYTES:
        return _refused(f"InputError: longer than {INPUT_LIMIT_BYTES} bytes", sandbox.tier)
    bounds = SandboxLimits(
        timeout_seconds=limits.timeout_seconds,
        memory_limit_mb=limits.memory_limit_mb,
        output_limit_bytes=max(limits.output_limit_bytes, 256),
    )
    ended = await sandbox.run(SandboxCommand(program=program, stdin=stdin, limits=bounds))
    errors, peak_memory_mb = _split_trailer(ended.stderr)
    status = _status(ended, bounds)
    return ToolResult(
        status=status,
        output=_printed(ended, limits) if status == "ok" else _complaint(status, ended, errors, limits),
        exit_code=ended.exit_code,
        stdout_bytes=ended.stdout_bytes,
        stderr_bytes=ended.stderr_bytes,
        wall_seconds=ended.wall_seconds,
        cpu_seconds=ended.cpu_seconds,
        peak_memory_mb=peak_memory_mb,
        tier=ended.tier,
    )


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


def _printed(ended: SandboxResult, limits: ToolLimits) -> str:
    kept = ended.stdout[: limits.output_limit_bytes]
    text = sanitise(kept)
    if ended.stdout_bytes > len(kept):
        return text.removesuffix("\ufffd") + TRUNCATED  # the cut may have split a character
    return text.rstrip() or NO_OUTPUT


def _status(ended: SandboxResult, bounds: SandboxLimits) -> ToolStatus:
    """Timeouts, kills and crashes are facts from outside. The rest is the launcher's exit status, which the code that
    it ran can fake, to its own harm alone: `ok` says that the code ended well, never that its output is true."""
    if ended.ending == "timeout":
        return "timeout"
    if ended.ending == "output" or ended.exit_code == EXIT_LIMIT:
        return "limit"
    if ended.exit_code in (-signal.SIGKILL, -signal.SIGXCPU):
        return "timeout" if ended.cpu_seconds >= bounds.timeout_seconds else "limit"
    if ended.exit_code == EXIT_DENIED:
        return "denied"
    return "ok" if ended.exit_code == 0 else "error"


def _complaint(status: ToolStatus, ended: SandboxResult, errors: bytes, limits: ToolLimits) -> str:
    """One line for the model."""
    if status == "timeout":
        return f"TimeoutError: stopped after {limits.timeout_seconds:g} s"
    if ended.ending == "output":
        return "OutputError: printed too much and was stopped"
    if ended.exit_code < 0:
        return f"Crash: killed by {_signal_name(-ended.exit_code)}"
    lines = [line.strip() for line in sanitise(errors).splitlines() if line.strip()]
    line = lines[-1] if lines else f"Error: exit status {ended.exit_code}"
    if line == "MemoryError":
        line += f": more than {limits.memory_limit_mb} MB"
    return line if len(line) <= ERROR_CHARACTERS else line[:ERROR_CHARACTERS] + TRUNCATED


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _split_trailer(stderr: bytes) -> tuple[bytes, float]:
    """(standard error, peak memory in MB); 0.0 when the program was killed before it could say. Not to be relied on."""
    text, mark, number = stderr.rpartition(TRAILER)
    if mark and number.isdigit() and len(number) < 12:
        return text, int(number) / 1024
    return stderr, 0.0


def _refused(line: str, tier: str) -> ToolResult:
    return ToolResult("denied", line, None, 0, 0, 0.0, 0.0, 0.0, tier)
