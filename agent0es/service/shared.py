"""An answer that many viewers ask for at the same time is made once, and not all the time.

A page that is open asks again whenever something was appended. Fifty of them would keep the processor from the very
run that they watch.
"""

import asyncio
import time
from collections.abc import Callable

REST = 9.0
"""How many times as long as an answer took to make nothing is made anew: a tenth of a core, at most."""
LONGEST_SECONDS = 2.0
"""But no longer than this."""


class Shared:
    """Answers by name. Who asks gets one that was begun after that, so it knows of everything appended before."""

    def __init__(self, rest: float = REST) -> None:
        self._rest = rest
        self._coming: dict[str, asyncio.Task[bytes]] = {}
        """Those that were asked for and are not begun."""
        self._not_before: dict[str, float] = {}

    async def get(self, name: str, make: Callable[[], bytes]) -> bytes:
        """The answer, made in a thread; what `make` raises, everybody gets who waited for it."""
        if name not in self._coming:
            self._coming[name] = asyncio.create_task(self._made(name, make))
        # One who goes away must not take the others' answer along.
        return await asyncio.shield(self._coming[name])

    async def _made(self, name: str, make: Callable[[], bytes]) -> bytes:
        await asyncio.sleep(self._not_before.get(name, 0.0) - time.monotonic())
        del self._coming[name]
        began = time.monotonic()
        try:
            return await asyncio.to_thread(make)
        finally:
            ended = time.monotonic()
            self._not_before[name] = ended + min(self._rest * (ended - began), LONGEST_SECONDS)
