"""What a sandbox's answer comes to for the model and for the log."""

import hashlib

from agent0es.tools import ToolLimits
from agent0es.tools.program import AUDIT_BYTES
from agent0es.tools.python import PythonTool
from tests.unit.tools.sandboxes import Told, call


def test_what_the_model_has_read_is_not_stored_twice() -> None:
    result = call(PythonTool(Told(stdout=b"5\n")), "x")
    assert (result.output, result.stdout) == ("5", None)
    assert result.stdout_sha256 == hashlib.sha256(b"5\n").hexdigest()
    assert (result.stderr, result.stderr_sha256) == (None, None)


def test_what_was_cut_for_the_model_is_whole_in_the_audit() -> None:
    result = call(PythonTool(Told(stdout=b"x" * 9000)), "x", limits=ToolLimits(output_limit_bytes=100))
    assert result.output == "x" * 100 + "… [truncated]"
    assert result.stdout == "x" * 9000


def test_of_a_very_long_output_head_and_tail_are_kept() -> None:
    data = b"head" + b"-" * (2 * AUDIT_BYTES) + b"tail"
    result = call(PythonTool(Told(stdout=data)), "x")
    assert result.stdout is not None and len(result.stdout) < AUDIT_BYTES + 100
    assert result.stdout.startswith("head") and result.stdout.endswith("tail") and "bytes left out" in result.stdout
    assert result.stdout_sha256 == hashlib.sha256(data).hexdigest()


def test_where_a_call_was_killed_its_output_is_chance_and_not_in_the_content() -> None:
    for ended in ({"ending": "timeout"}, {"ending": "output"}, {"ending": "memory"}, {"exit_code": -9}):
        result = call(PythonTool(Told(stdout=b"some", stderr=b"thing", **ended)), "x")
        assert result.status in ("timeout", "limit")
        assert (result.stdout, result.stdout_sha256, result.stderr, result.stderr_sha256) == (None,) * 4


def test_a_memory_kill_is_a_limit() -> None:
    result = call(PythonTool(Told(ending="memory", exit_code=-9)), "x")
    assert (result.status, result.output) == ("limit", "MemoryError: more than 512 MB")


def test_a_refusal_is_named() -> None:
    line = b"ModuleNotFoundError: module 'socket' is not available"
    assert call(PythonTool(Told(exit_code=77, stderr=line)), "x").denied == ("module socket",)
    assert call(PythonTool(Told(exit_code=77, stderr=b"OSError: [Errno 30] no")), "x").denied == ("file",)
    assert call(PythonTool(Told(exit_code=77, stderr=b"x", denied=("network",))), "x").denied == ("network",)


def test_an_error_keeps_what_was_printed_before_it() -> None:
    result = call(PythonTool(Told(exit_code=1, stdout=b"so far\n", stderr=b"ValueError: no")), "x")
    assert (result.status, result.output, result.stdout, result.stderr) == (
        "error",
        "ValueError: no",
        "so far\n",
        "ValueError: no",
    )
