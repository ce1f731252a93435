"""Calls in a tier: as many side by side as there are places, each forked from a warm worker."""

import asyncio
import os

from agent0es.errors import SandboxUnavailable
from agent0es.sandbox.base import SandboxCommand, SandboxResult
from agent0es.sandbox.probing import probe
from agent0es.sandbox.tiers import Tier, TierName, candidates
from agent0es.sandbox.worker import Zygote


def open_sandbox(tier: TierName | None = None, places: int | None = None) -> "IsolatedSandbox":
    """The sandbox of a tier, or of the best that works here; never the unsafe one unless it is named.

    Raises SandboxUnavailable, saying what to install or change.
    """
    if tier == "unsafe":
        return IsolatedSandbox(candidates("unsafe", None)[0], places)
    report = probe() if tier is None else probe((tier,))
    if report.tier is None:
        raise SandboxUnavailable(report.detail)
    return IsolatedSandbox(report.tier, places)


class IsolatedSandbox:
    """Runs each command in isolation, at most `places` side by side."""

    def __init__(self, tier: Tier, places: int | None = None) -> None:
        self._tier = tier
        count = places or min(len(os.sched_getaffinity(0)), 64)
        self._count = count
        self._places = asyncio.Semaphore(count)
        self._zygotes: dict[tuple[str, ...], Zygote] = {}
        self._running: set[asyncio.Task[SandboxResult]] = set()
        self._closed = False

    @property
    def tier(self) -> TierName:
        """The isolation that holds, as written into events."""
        return self._tier.name

    async def run(self, command: SandboxCommand) -> SandboxResult:
        """Run to its end, or kill it. A cancelled call is killed with the cancellation."""
        async with self._places:
            if self._closed:
                raise SandboxUnavailable("the sandbox is closed")
            zygote = self._zygotes.setdefault(command.preload, Zygote(self._tier, command.preload))
            with self._tier.lent_uid() as uid:
                call = asyncio.create_task(zygote.run(command, uid))
                self._running.add(call)
                try:
                    return await call
                except asyncio.CancelledError:
                    if self._closed:
                        raise SandboxUnavailable("the sandbox was closed during a call") from None
                    raise
                finally:
                    call.cancel()
                    self._running.discard(call)

    async def __aenter__(self) -> "IsolatedSandbox":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Kill what is still running, and return when it is gone. Calls that were running or waiting raise."""
        self._closed = True
        for call in tuple(self._running):
            call.cancel()
        for _ in range(self._count):  # all places free: nothing runs
            await self._places.acquire()
        for _ in range(self._count):
            self._places.release()
        for zygote in self._zygotes.values():
            await zygote.close()
        self._zygotes.clear()
