"""Retries: for an engine that died, a trainer that was killed, a sandbox worker that is gone.

Work that is worth retrying alone (an attempt, a verifier's call, a teacher's answer) is retried through `Retries`; the
dispatcher retries what else a handler does. Nothing is retried at both places: what stays broken is raised as
`GivenUp`, which is not retried.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from agent0es.configuration.secrets import text_without_secrets
from agent0es.errors import Agent0Error, TransientError, UserError

BACKOFF_SECONDS = 0.5
"""Pause before the first retry; doubled for each further one."""

T = TypeVar("T")

Sleep = Callable[[float], Awaitable[None]]


class GivenUp(Agent0Error):
    """Something failed once more than `execution.retries` allows. `error` is the last failure."""

    def __init__(self, error: TransientError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a piece of work is retried, with a pause before each retry."""

    most: int
    sleep: Sleep = asyncio.sleep

    async def __call__(
        self, act: Callable[[], Awaitable[T]], failed: Callable[[int, TransientError], Awaitable[object]]
    ) -> T:
        """What `act` returns in the end. `failed(retry, error)`, counted from 1, is called before each retry.

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
    """Type and message, as events hold them: without the secrets of a URL that it quotes."""
    return text_without_secrets(f"{type(error).__name__}: {error}")
