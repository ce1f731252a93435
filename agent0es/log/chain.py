"""The hash chain: every row's hash covers its stored bytes and the hash of the row before it."""

import hashlib

GENESIS = "0" * 64
"""What the first row is chained to."""


def chain(previous: str, stream: str, version: int, topic: str, state: bytes) -> str:
    """sha256 over the previous hash and the length-prefixed stream, version, topic and state, as hex.

    Length prefixes keep two different rows from having the same bytes: `ab` + `c` is not `a` + `bc`.
    """
    parts = (stream.encode(), b"%d" % version, topic.encode(), state)
    return hashlib.sha256(previous.encode() + b"".join(b"%d:%b," % (len(part), part) for part in parts)).hexdigest()
