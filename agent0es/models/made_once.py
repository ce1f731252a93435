"""Files and folders that are made once, from something that is still there, and used by many processes.

Beside each lies a manifest, `<name>.sha256`, in the form that `sha256sum` writes. What does not match its manifest,
because it was cut short, changed or lost a file, is made again.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Hash of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def made_once(target: Path, make: Callable[[Path], None]) -> Path:
    """`target`, a file or a folder of files, written by `make(path)` unless it is there and matches its manifest.

    It appears in full or not at all, and two processes may ask at once. Raises OSError and what `make` raises.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target.parent):
        if _is_as_made(target):
            return target
        for left in target.parent.glob(f".{target.name}-*"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
            left.unlink(missing_ok=True)
        beside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
        try:
            new = beside / target.name
            make(new)
            lines = [f"{sha256_of(file)}  {file.relative_to(beside)}\n" for file in _files(new)]
            (beside / "manifest").write_text("".join(lines))
            for file in (*_files(new), beside / "manifest"):
                with file.open("rb") as written:
                    os.fsync(written.fileno())
            if target.is_dir():
                shutil.rmtree(target)
            new.replace(target)
            (beside / "manifest").replace(_manifest(target))
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return target


def _is_as_made(target: Path) -> bool:
    try:
        lines = [line.split("  ", 1) for line in _manifest(target).read_text().splitlines()]
        return bool(lines) and all(sha256_of(target.parent / name) == sha256 for sha256, name in lines)
    except (OSError, ValueError):
        return False


def _manifest(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")


def _files(made: Path) -> list[Path]:
    return sorted(path for path in made.rglob("*") if path.is_file()) if made.is_dir() else [made]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
