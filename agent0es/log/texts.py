"""Long texts are stored once, by their hash, and stand in events as `{"$text": "<sha256>"}`.

A dictionary of the content that looks like such a reference is written with one more `$` before the name of its key,
and loses it again when it is read, so that every content survives.
"""

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any

LONG_BYTES = 200
"""A string of more bytes than this in UTF-8 is stored apart."""

CACHED_CHARACTERS = 8_000_000
"""How much text is kept at hand for readers."""

_SHORT = (int, float, type(None))
_LOOKALIKE = re.compile(r"\$+text")
_REFERENCE = re.compile(rb'\{"\$text":"([0-9a-f]{64})"\}')


def extract(content: Any, found: dict[str, str]) -> Any:
    """The content with references in place of its long texts, which are added to `found` by their hash.

    Raises UnicodeEncodeError for a string that has no UTF-8 form (a lone surrogate).
    """
    if isinstance(content, str):
        if len(content) * 4 <= LONG_BYTES:
            return content
        data = content.encode()
        if len(data) <= LONG_BYTES:
            return content
        name = hashlib.sha256(data).hexdigest()
        found[name] = content
        return {"$text": name}
    if isinstance(content, dict):
        changed = {key: value if isinstance(value, _SHORT) else extract(value, found) for key, value in content.items()}
        if len(changed) == 1:
            [(key, value)] = changed.items()
            if _LOOKALIKE.fullmatch(key):
                return {f"${key}": value}
        return changed
    if isinstance(content, list | tuple):
        return [extract(item, found) for item in content]
    return content


def restore(content: Any, texts: Mapping[str, str]) -> Any:
    """The inverse of `extract`. Raises KeyError for a text that is not in `texts`."""
    if isinstance(content, dict):
        if len(content) == 1:
            [(key, value)] = content.items()
            if key == "$text":
                return texts[value]
            if _LOOKALIKE.fullmatch(key):
                return {key[1:]: restore(value, texts)}
        return {key: restore(value, texts) for key, value in content.items()}
    if isinstance(content, list):
        return [restore(item, texts) for item in content]
    return content


def references(stored: bytes) -> list[str]:
    """Hashes of the texts that stored JSON refers to, in order of appearance.

    Quotes inside JSON strings are escaped, so the pattern is found only where a reference really is.
    """
    if b'"$text":' not in stored:  # nearly all events, and found out faster
        return []
    return [name.decode() for name in _REFERENCE.findall(stored)]


class TextCache:
    """The texts that were used last, up to a total length. Safe for several threads."""

    def __init__(self, characters: int = CACHED_CHARACTERS) -> None:
        self._limit = characters
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._characters = 0
        self._lock = threading.Lock()

    def __contains__(self, name: str) -> bool:
        return name in self._texts

    def find(self, names: Collection[str]) -> dict[str, str]:
        """Those of the texts that are at hand."""
        with self._lock:
            found = {name: self._texts[name] for name in names if name in self._texts}
            for name in found:
                self._texts.move_to_end(name)
        return found

    def add(self, texts: Mapping[str, str]) -> None:
        """Keep texts at hand; those used longest ago make room."""
        with self._lock:
            for name, text in texts.items():
                if name not in self._texts:
                    self._texts[name] = text
                    self._characters += len(text)
            while self._characters > self._limit:
                _name, text = self._texts.popitem(last=False)
                self._characters -= len(text)
