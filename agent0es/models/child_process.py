"""What the project's child processes have in common: a clean environment, and an end when their parent ends."""

import ctypes
import os
import signal
import sys
from collections.abc import Mapping

from agent0es import crash_points

_KEPT = {"PATH", "HOME", "LANG", "TMPDIR", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "USER", "LOGNAME"}
_KEPT_PREFIXES = (crash_points.VARIABLE, "LC_", "OMP_", "MKL_", "KMP_", "CUDA_", "NVIDIA_", "COVERAGE_")
_PR_SET_PDEATHSIG = 1


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
