"""The working directory of a call, between the mapping that the log knows and the bytes that the sandbox handles."""

import hashlib
from collections.abc import Mapping

from agent0es.tools.base import WrittenFile

MAX_FILES = 64
MAX_BYTES = 1 << 20
"""Of all texts together."""
PATH_CHARACTERS = 200


def path_complaint(path: str) -> str | None:
    """Why this is no path inside a working directory, in a few words; None where it is one."""
    parts = path.split("/")
    if not path or len(path) > PATH_CHARACTERS or not path.isprintable():
        return "not a printable name of at most 200 characters"
    if path.startswith("/") or any(part in ("", ".", "..") for part in parts):
        return "not a relative path without . and .."
    return None


def complaint(files: Mapping[str, str]) -> str | None:
    """Why these can't be a working directory, in one line; None where they can."""
    for path in files:
        if (why := path_complaint(path)) is not None:
            return f"FilesError: {path[:PATH_CHARACTERS]!r} is {why}"
        folder = path
        while "/" in folder:
            folder = folder.rpartition("/")[0]
            if folder in files:
                return f"FilesError: {folder!r} is a file and a folder"
    if len(files) > MAX_FILES or sum(map(len, encoded(files).values())) > MAX_BYTES:
        return f"FilesError: the working directory holds more than {MAX_FILES} files or {MAX_BYTES} bytes"
    return None


def encoded(files: Mapping[str, str]) -> dict[str, bytes]:
    """The files as the sandbox takes them."""
    return {path: text.encode("utf-8", "replace") for path, text in files.items()}


def after(
    before: Mapping[str, str], found: Mapping[str, bytes]
) -> tuple[Mapping[str, str], tuple[WrittenFile, ...], str | None]:
    """(working directory afterwards, files written, one line about what is not kept).

    Text is kept and anything else is not; where it would be too much together, nothing has changed.
    """
    old = encoded(before)
    texts: dict[str, str] = {}
    written: list[WrittenFile] = []
    strange: list[str] = []
    for path, data in sorted(found.items()):
        text = _text(data) if path_complaint(path) is None else None
        if text is not None:
            texts[path] = text
        else:
            strange.append(path)
        if old.get(path) != data:
            name = path.encode("utf-8", "backslashreplace").decode()  # the log holds text only, and a name need not be
            written.append(WrittenFile(name, len(data), hashlib.sha256(data).hexdigest(), text))
    if (why := complaint(texts)) is not None:
        return before, (), f"{why}; it is left as it was before"
    if not written and len(texts) == len(before):
        return before, (), None
    note = f"(not kept, because it is no text: {', '.join(map(ascii, strange[:5]))})" if strange else None
    return texts, tuple(written), note


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
