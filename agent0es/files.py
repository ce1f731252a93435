"""Files that a user names: a text to read, and a file to write.

A regular file is replaced in one step once the new one is complete, and keeps its mode. A link is followed. A pipe, a
terminal or another character device is written to directly and never replaced; so are `/dev/stdout` and its like.
Anything else is refused: folders, sockets, block devices (a disk), and databases (the store's log is one).
"""

import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from agent0es.errors import StoreError, UserError

LARGEST_TEXT = 64 << 20
"""Bytes of a text that is read."""
DATABASES = ((0, b"SQLite format 3\0"), (8, b"DUCK"))
"""Offset and bytes that mark a database."""


@contextmanager
def replacing(file: Path, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """What is written here is in `file` when the block ends; after an error a regular file is unchanged.

    `mode` is for a new file; without it the umask decides. Raises StoreError.
    """
    try:
        target = Path(os.path.realpath(file))
        found = _existing(file, target)
        if _is_descriptor(file) or (found is not None and not stat.S_ISREG(found.st_mode)):
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_NOCTTY), "wb") as stream:
                yield stream
            return
        draft = target.parent / f".{secrets.token_hex(8)}.part"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _mode(found, mode)), "wb") as stream:
            try:
                yield stream
                stream.flush()
                if found is not None:
                    _keep(stream.fileno(), found)
                os.fsync(stream.fileno())
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror or error}; name another file") from None


def read_text(file: Path) -> str:
    """The UTF-8 text of a file, or of standard input where it is called `-`. Raises UserError."""
    name = "standard input" if str(file) == "-" else str(file)
    try:
        if str(file) == "-":
            content = sys.stdin.buffer.read(LARGEST_TEXT + 1)
        else:
            with file.open("rb") as stream:
                content = stream.read(LARGEST_TEXT + 1)
    except OSError as error:
        raise UserError(f"{name}: {error.strerror or error}; name a file that can be read") from None
    if len(content) > LARGEST_TEXT:
        raise UserError(f"{name}: holds more than {LARGEST_TEXT >> 20} MB; split it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"{name}, line {line}: this is not UTF-8 text; convert it, e.g. with iconv") from None


def _existing(file: Path, target: Path) -> os.stat_result | None:
    """What is there. Raises StoreError when it must not be written to."""
    try:
        found = target.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise StoreError(f"{file}: is a folder; name a file in it")
    if stat.S_ISBLK(found.st_mode) or stat.S_ISSOCK(found.st_mode):
        raise StoreError(f"{file}: is not a regular file, pipe or terminal; name another file")
    if stat.S_ISREG(found.st_mode) and not _is_descriptor(file):
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if _is_database(target):
            raise StoreError(f"{file}: is a database, which would be lost; name another file")
    return found


def _mode(found: os.stat_result | None, wanted: int | None) -> int:
    """The mode of a draft: who may not read the file may not read the draft either."""
    if found is not None:
        return stat.S_IMODE(found.st_mode) & 0o600
    return 0o666 if wanted is None else wanted


def _is_database(file: Path) -> bool:
    with file.open("rb") as stream:
        start = stream.read(16)
    return any(start[at : at + len(mark)] == mark for at, mark in DATABASES)


def _is_descriptor(file: Path) -> bool:
    """Whether the path stands for a file that is open already: /dev/stdout, /dev/fd/3, /proc/self/fd/3."""
    path = file.absolute()
    return str(path) in ("/dev/stdout", "/dev/stderr") or path.parent.resolve().is_relative_to("/proc")


def _keep(handle: int, found: os.stat_result) -> None:
    """Give the new file the old one's owner, where that is allowed, and its mode."""
    with suppress(PermissionError):  # only root may give files away
        os.fchown(handle, found.st_uid, found.st_gid)
    os.fchmod(handle, stat.S_IMODE(found.st_mode))
