"""What fails in passing is done again: an engine that died, a trainer that was killed, a sandbox worker that is gone.

Whoever does a piece of work that is worth repeating alone (an attempt, a verifier's call, a teacher's answer) repeats
it through `Retries`; the dispatcher repeats what a handler does besides. Nothing is repeated at two of these places:
what stays broken leaves as `GivenUp`, which nobody takes for something that passes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from agent0es.errors import Agent0Error, TransientError, UserError

BACKOFF_SECONDS = 0.5
"""Pause before the first repetition; doubled for each further one."""

T = TypeVar("T")

Sleep = Callable[[float], Awaitable[None]]


class GivenUp(Agent0Error):
    """Something failed in passing once more than `execution.retries` allows. `error` is what it failed with last."""

    def __init__(self, error: TransientError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a piece of work is repeated, with a pause before each repetition."""

    most: int
    sleep: Sleep = asyncio.sleep

    async def __call__(
        self, act: Callable[[], Awaitable[T]], failed: Callable[[int, TransientError], Awaitable[object]]
    ) -> T:
        """What `act` returns in the end. `failed(retry, error)`, counted from 1, comes before each repetition.

        Raises GivenUp, and whatever else `act` raises at once.
        """
        retry = 0
        while True:
            try:
                return await act()
            except TransientError as error:
                retry += 1
                if retry > self.most:
                    raise GivenUp(error) from error
                why = error
            await failed(retry, why)
            await self.sleep(BACKOFF_SECONDS * 2 ** (retry - 1))


def root_of(error: Exception) -> Exception:
    """What went wrong, without what wraps it. Of several errors side by side it is one that the user can put right,
    if there is any, else the first."""
    if isinstance(error, GivenUp):
        return error.error
    if isinstance(error, ExceptionGroup):
        roots = [root_of(one) for one in error.exceptions]
        return next((root for root in roots if isinstance(root, UserError)), roots[0])
    return error


def described(error: Exception) -> str:
    """Type and message, as events hold them."""
    return f"{type(error).__name__}: {error}"
