"""The working directory of an attempt: data, not a place. A mapping from relative path to text, which calls change."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from agent0es.domain.values import Value


class FileWritten(Value):
    """A file that a call made or changed."""

    path: str
    """Relative to the working directory."""
    bytes: int
    """Length."""
    sha256: str
    """Hash of its bytes."""
    text: str | None
    """What it holds; None where that is not kept: no text, or too much. Hostile."""


def files_sha256(files: Mapping[str, str]) -> str | None:
    """Hash of a working directory, over the sorted paths and the hashes of the texts; None for an empty one."""
    if not files:
        return None
    hashes = {path: hashlib.sha256(_bytes(text)).hexdigest() for path, text in files.items()}
    return hashlib.sha256(json.dumps(hashes, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def changed(files: Mapping[str, str], written: Sequence[FileWritten], deleted: Sequence[str]) -> Mapping[str, str]:
    """The working directory after a call. A file whose text is not kept is gone from it."""
    if not written and not deleted:
        return files
    gone = {*deleted, *(file.path for file in written)}
    left = {path: text for path, text in files.items() if path not in gone}
    return left | {file.path: file.text for file in written if file.text is not None}


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[tuple[FileWritten, ...], tuple[str, ...]]:
    """What made the one of the other: (written, deleted), by path."""
    written = tuple(
        FileWritten(path=path, bytes=len(_bytes(text)), sha256=hashlib.sha256(_bytes(text)).hexdigest(), text=text)
        for path, text in sorted(after.items())
        if before.get(path) != text
    )
    return written, tuple(sorted(before.keys() - after.keys()))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
