"""Where every random choice comes from."""

import hashlib


def derive_seed(seed: int, *names: str | int) -> int:
    """A 31-bit seed for one purpose: a function of the run's seed and stable names, equal on every machine."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFFFFFF
