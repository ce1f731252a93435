"""Text as it enters from a model, made such that a log, an embedder and a terminal can take it."""

import re

UNSTORABLE = re.compile("[\ud800-\udfff\0]")
"""Halves of a pair that stand alone have no UTF-8 form, and some databases hold no NUL."""


def storable(text: str) -> str:
    """The text with U+FFFD in place of each character that can't be stored. JSON such as `"\\ud83d"` holds those."""
    return text if text.isascii() and "\0" not in text else UNSTORABLE.sub("\ufffd", text)
