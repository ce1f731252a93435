"""Bytes as they arrive, cut into lines, events of a server-sent stream, and values of JSON. Pure, but for files.

All of it is hostile: a line and a whole answer have a bound, and what is not UTF-8 or JSON is an error.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

LONGEST_LINE = 8 * 2**20
"""Bytes of one line, or of one event. A long prompt's tokens with their probabilities take a megabyte."""
LONGEST_ANSWER = 64 * 2**20
"""Bytes of one answer, stream or not."""
LONGEST_ERROR = 64 * 2**10
"""Bytes of an error's body that are read."""

END = "[DONE]"
"""The data of a stream's last event, for those who have one."""

_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


PIECE = 2**20
"""Bytes of a file that are read at once."""


async def pieces_of(path: Path) -> AsyncIterator[bytes]:
    """A file as it is sent. Raises OSError."""
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece


class TooLong(ValueError):
    """A line or an answer beyond its bound."""


class Lines:
    """Cuts bytes into lines, which end with `\\n`, `\\r\\n` or `\\r`, wherever the bytes were split on their way."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._held = bytearray()
        self._longest = longest
        self._after_return = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that end in this chunk. Raises TooLong."""
        if not chunk:
            return
        if self._after_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_return = chunk.endswith(b"\r") if chunk else False
        first, *others = _END.split(chunk)
        self._hold(first)
        for other in others:
            line = bytes(self._held)
            self._held.clear()
            self._hold(other)
            yield line

    def end(self) -> Iterator[bytes]:
        """The last line, where nothing ends it."""
        if self._held:
            yield bytes(self._held)

    def _hold(self, more: bytes) -> None:
        self._held += more
        if len(self._held) > self._longest:
            raise TooLong(f"a line of more than {self._longest} bytes")


class Events:
    """The data of a stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

    Names, ids and pauses of events are passed over: the data says all. An event without its blank line at the very end
    counts too.
    """

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._lines = Lines(longest)
        self._longest = longest
        self._data: list[bytes] = []
        self._size = 0
        self._first = True

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The data of the events that end in this chunk. Raises TooLong, and ValueError for what is not UTF-8."""
        for line in self._lines.feed(chunk):
            yield from self._take(line)

    def end(self) -> Iterator[str]:
        """The data of the last event."""
        for line in (*self._lines.end(), b""):
            yield from self._take(line)

    def _take(self, line: bytes) -> Iterator[str]:
        if self._first:
            self._first, line = False, line.removeprefix(_BOM)
        if not line:
            if self._data:
                data, self._data, self._size = b"\n".join(self._data), [], 0
                yield data.decode()
            return
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(line)
            if self._size > self._longest:
                raise TooLong(f"an event of more than {self._longest} bytes")


class JsonLines:
    """The lines of NDJSON that say something."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._lines = Lines(longest)

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The lines that end in this chunk. Raises TooLong, and ValueError for what is not UTF-8."""
        return (line.decode() for line in self._lines.feed(chunk) if line.strip())

    def end(self) -> Iterator[str]:
        """The last line, where nothing ends it."""
        return (line.decode() for line in self._lines.end() if line.strip())


def parse(text: str | bytes) -> Any:
    """A value of JSON. Raises ValueError for anything else, also for what is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None
