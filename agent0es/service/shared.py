"""An answer that many viewers ask for at the same time is made once, and not all the time.

A page that is open asks again whenever something was appended. Fifty of them would keep the processor from the very
run that they watch.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable

REST = 9.0
"""How many times as long as an answer took to make and to give nothing is made anew: a tenth of a core, at most."""
GIVING_SECONDS = 0.004
"""What it takes to give an answer to one who asked."""
LONGEST_SECONDS = 4.0
"""But no longer than this."""


class Shared:
    """Answers by name. Who asks gets one that was begun after that, so it knows of everything appended before."""

    def __init__(self, rest: float = REST) -> None:
        self._rest = rest
        self._coming: dict[str, asyncio.Task[bytes]] = {}
        """Those that were asked for and are not begun."""
        self._asked: Counter[str] = Counter()
        """How many asked for those."""
        self._not_before: dict[str, float] = {}

    async def get(self, name: str, make: Callable[[], bytes]) -> bytes:
        """The answer, made in a thread; what `make` raises, everybody gets who waited for it."""
        if name not in self._coming:
            self._coming[name] = asyncio.create_task(self._made(name, make))
            self._coming[name].add_done_callback(_seen)
        self._asked[name] += 1
        coming = self._coming[name]
        await asyncio.wait([coming])  # one who goes away does not take the others' answer along
        return coming.result()

    async def _made(self, name: str, make: Callable[[], bytes]) -> bytes:
        await asyncio.sleep(self._not_before.get(name, 0.0) - time.monotonic())
        del self._coming[name]
        asked, began = self._asked.pop(name), time.monotonic()
        try:
            return await asyncio.to_thread(make)
        finally:
            ended = time.monotonic()
            took = ended - began + GIVING_SECONDS * asked
            rest = min(self._rest * took, LONGEST_SECONDS)
            self._not_before[name] = ended + rest
            asyncio.get_running_loop().call_later(2 * rest, self._forget, name)

    def _forget(self, name: str) -> None:
        """Names come from whoever asks: those that nobody asks for are not kept."""
        if self._not_before.get(name, math.inf) <= time.monotonic():
            del self._not_before[name]


def _seen(made: asyncio.Task[bytes]) -> None:
    """asyncio logs the fault of an answer when all who asked for it have left, as if somebody had forgotten it."""
    if not made.cancelled():
        made.exception()
