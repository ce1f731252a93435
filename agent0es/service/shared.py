"""What many ask for at once is made once: fifty pages that are told of an event all want the same panels."""

import threading
import time
from collections.abc import Callable

FRESH_SECONDS = 1.0
"""How long an answer may be given again: some of it changes without an event, as whether a run's process lives."""
KEPT = 8


class Shared:
    """The last answers, by name. Who asks while one is made waits for it, and takes it where it is new enough."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, float, bytes]] = {}
        self._turn = threading.Lock()

    def answer(self, name: str, needed: int, head: Callable[[], int], make: Callable[[], bytes]) -> bytes:
        """An answer that knows the log up to position `needed` at least; `make` knows it up to `head`, asked before."""
        with self._turn:
            known, made, text = self._kept.get(name, (-1, 0.0, b""))
            if known < needed or time.monotonic() - made > FRESH_SECONDS:
                known, made = head(), time.monotonic()
                text = make()
                self._kept.pop(name, None)
                self._kept[name] = (known, made, text)
                if len(self._kept) > KEPT:
                    del self._kept[next(iter(self._kept))]
            return text
