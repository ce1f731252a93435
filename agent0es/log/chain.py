"""The hash chain: every row's hash covers its stored bytes and the hash of the row before it."""

import hashlib

GENESIS = "0" * 64
"""What the first row is chained to."""


def chain(previous: str, stream: str, version: int, topic: str, state: bytes) -> str:
    """sha256 over the previous hash and the length-prefixed stream, version, topic and state, as hex.

    Length prefixes keep two different rows from having the same bytes: `ab` + `c` is not `a` + `bc`.
    """
    return chain_bytes(previous.encode(), stream.encode(), version, topic.encode(), state).decode()


def chain_bytes(previous: bytes, stream: bytes, version: int, topic: bytes, state: bytes) -> bytes:
    """The same from bytes and as bytes."""
    number = b"%d" % version
    parts = (previous, len(stream), stream, len(number), number, len(topic), topic, len(state), state)
    return hashlib.sha256(b"%b%d:%b,%d:%b,%d:%b,%d:%b," % parts).hexdigest().encode()
