"""What the project's child processes have in common: a clean environment, an end when their parent ends, and a check
that they make progress."""

import ctypes
import errno
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from agent0es import crash_points

_KEPT = {"PATH", "HOME", "LANG", "TMPDIR", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "USER", "LOGNAME"}
_KEPT_PREFIXES = (crash_points.VARIABLE, "LC_", "OMP_", "MKL_", "KMP_", "CUDA_", "NVIDIA_", "COVERAGE_")
_PR_SET_PDEATHSIG = 1

LOOK_SECONDS = 1.0
"""How often it is checked whether a child makes progress."""
STALLED_SECONDS = 30
"""A child that makes no progress for so long while it is waited for is stopped, or hangs: it is ended."""

_OUT_OF_MEMORY = (
    *("MemoryError", "bad_alloc", "can't alloc", "Memory allocation", "failed to map segment", "start watchdog thread"),
    *("CUDA error: out of memory", "ALLOC_FAILED"),  # what torch allots itself is an OutOfMemoryError
    *(os.strerror(errno.ENOMEM), os.strerror(errno.EAGAIN), "memory allocation of"),
    # CPython, where an import runs out of memory and the MemoryError is lost.
    *("error return without exception set", "returned NULL without setting an exception"),
)
"""What Python, torch, CUDA, OpenBLAS, OpenVINO, Rust and the system say when there is no room for memory or a
thread."""


def out_of_memory(words: str) -> bool:
    """Whether a child that ended with these words lacked memory: no fault of its files, and a retry may succeed."""
    return any(sign in words for sign in _OUT_OF_MEMORY)


class Progress:
    """Whether a child makes progress: it uses CPU time, or memory is fetched for it.

    So a slow child, or one that waits its turn on a busy machine, is not taken for one that hangs. Without /proc every
    child is taken to make progress.
    """

    def __init__(self, process: int) -> None:
        self._process = process
        self._seen: tuple[bytes, ...] | None = None
        self._still = 0

    def stalled(self, *, awaited: bool = True) -> bool:
        """To be asked every `LOOK_SECONDS`. What is counted are the looks and not the time between them, so that
        a child is not blamed for the time in which this process was stopped together with it."""
        seen = _work_done(self._process)
        moves = seen is None or seen != self._seen or not awaited
        self._seen, self._still = seen, 0 if moves else self._still + 1
        return self._still * LOOK_SECONDS >= STALLED_SECONDS


def _work_done(process: int) -> tuple[bytes, ...] | None:
    """What grows while a process works: page faults and CPU time, from /proc/PID/stat (proc(5)); None without that."""
    try:
        fields = Path(f"/proc/{process}/stat").read_bytes().rsplit(b")", 1)[1].split()
    except (OSError, IndexError):
        return None
    minor_faults, major_faults, user_time, system_time = fields[7], fields[9], fields[11], fields[12]
    return minor_faults, major_faults, user_time, system_time


def clean_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that a child may see: no keys, no tokens, and nothing that lets a library use the network."""
    source = os.environ if environment is None else environment
    kept = {name: value for name, value in source.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "DO_NOT_TRACK": "1"}
    return {**kept, **offline, "TOKENIZERS_PARALLELISM": "false", "PYTHONDONTWRITEBYTECODE": "1"}


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends (Linux; elsewhere nothing happens).

    `parent` is the starter's process id: when it is gone already, the process ends here.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("the process that started this one is gone")
