"""One file of tables, and many processes at once that look into it while a run writes.

DuckDB lets either one process write a file or several read it. So whoever looks only reads. Who finds the tables
behind the log becomes their owner for a while: one at a time, by the lock `….lock`. The others wait, and then find the
tables complete. An owner writes in place when nobody reads, which the lock `….readers` tells; else into a copy that
takes the file's place in one step, and those who read keep the version that they opened. So nobody waits for a reader,
and nobody folds again what somebody else has folded or is folding.

When an owner is killed, the system opens its lock for the next one. What it had committed in place is there after the
last checkpoint; its copy is thrown away. An owner that does not get on, because it was stopped, is not waited for.
"""

import fcntl
import glob
import itertools
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from agent0es.projections import database

PATIENCE_SECONDS = 30.0
"""An owner that has not finished a batch for so long is not waited for any more."""

POLL_SECONDS = 0.02

_numbers = itertools.count()


class Unavailable(Exception):
    """The file can't be had: its owner does not get on, or its folder can't be written."""


class Owner:
    """The right to change the file at `path`."""

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self._path = path
        self._lock = lock

    def progress(self) -> None:
        """Tell those who wait that it goes on."""
        os.utime(self._lock.fileno())

    @contextmanager
    def writing(self, *, in_place: bool) -> Iterator[Path]:
        """The file to write: the one at `path` if that may be and nobody reads it; or a copy that takes its place at
        the end, unless something is raised."""
        with _opened(self._path, "readers") as readers:
            if in_place and _locked(readers, fcntl.LOCK_EX):
                own = glob.escape(self._path.name)  # what follows is of readers that were killed
                for left in self._path.parent.glob(f"{own}.*.spill"):
                    shutil.rmtree(left, ignore_errors=True)
                for left in self._path.parent.glob(f"{own}.*.copy"):
                    database.discard(left)
                yield self._path
                return
        draft = self._path.with_name(f"{self._path.name}.next")
        database.discard(draft)
        try:
            if self._path.exists():
                shutil.copyfile(self._path, draft)
                self.progress()
            yield draft
            draft.replace(self._path)
        finally:
            database.discard(draft)


@contextmanager
def owning(path: Path) -> Iterator[Owner]:
    """Be the owner, after those who were before. Raises Unavailable."""
    with _opened(path, "lock") as lock:
        seen, deadline = 0, 0.0
        while not _locked(lock, fcntl.LOCK_EX):
            last = os.fstat(lock.fileno()).st_mtime_ns
            if last != seen:
                seen, deadline = last, time.monotonic() + PATIENCE_SECONDS
            if time.monotonic() > deadline:
                raise Unavailable(f"{path}: who writes it does not get on")
            time.sleep(POLL_SECONDS)
        owner = Owner(path, lock)
        owner.progress()
        yield owner


def reading(path: Path) -> IO[str] | None:
    """While this is open nobody changes the file in place; None where somebody does so now, or it can't be had."""
    try:
        lock = _opened(path, "readers")
        if _locked(lock, fcntl.LOCK_SH):
            return lock
    except Unavailable:
        return None
    lock.close()
    return None


def spill_folder(path: Path) -> Path:
    """Where one reader may put what does not fit into memory; DuckDB makes and removes it."""
    return path.with_name(f"{path.name}.{os.getpid()}-{next(_numbers)}.spill")


def copy_name(path: Path) -> Path:
    """Where one reader may copy the file to while it is reading it."""
    return path.with_name(f"{path.name}.{os.getpid()}-{next(_numbers)}.copy")


def _opened(path: Path, kind: str) -> IO[str]:
    """A lock file. It is never the data file: closing any handle of that would give up DuckDB's own lock on it."""
    try:
        return path.with_name(f"{path.name}.{kind}").open("a")
    except OSError as error:
        raise Unavailable(str(error)) from error


def _locked(lock: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a file system without locks
        raise Unavailable(str(error)) from error
    return True
