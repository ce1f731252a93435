"""Runs a command of this environment as a user without privileges, from root.

The interpreter often lies where only root may look. So, in a mount namespace of its own, the folders that hide it are
covered by readable ones, and it is bound to the same path in them. `unshare --mount` runs this file as a script.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
UID = 12345


def why_not() -> str:
    """Why this can't be done here; empty where it can."""
    if os.geteuid() != 0:
        return "the tests run as an ordinary user already"
    missing = [name for name in ("unshare", "setpriv", "mount") if shutil.which(name) is None]
    return f"needs {', '.join(missing)}" if missing else ""


def run(*arguments: str, timeout: float = 300) -> "subprocess.CompletedProcess[str]":
    """`python ARGUMENTS…` as the ordinary user, in /tmp."""
    return subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, str(Path(__file__)), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def uncover(path: Path, stage: Path) -> None:
    """Have everybody reach a path."""
    hidden = next((folder for folder in reversed(path.parents) if not folder.stat().st_mode & 1), None)
    if hidden is None:
        return
    stage.mkdir()
    subprocess.run(["mount", "--rbind", path, stage], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", hidden], check=True)
    path.mkdir(parents=True)
    subprocess.run(["mount", "--rbind", stage, path], check=True)


if __name__ == "__main__":
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", "/mnt"], check=True)
    for number, place in enumerate((sys.base_prefix, sys.prefix, str(ROOT))):
        uncover(Path(place).resolve(), Path(f"/mnt/{number}"))
    os.chdir("/tmp")
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    user = ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups"]
    os.execvpe("setpriv", [*user, sys.executable, *sys.argv[1:]], environment)
