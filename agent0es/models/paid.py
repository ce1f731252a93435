"""What who pays for a request is told while it is on its way.

A backend may send a request several times before there is an answer, and a server may charge for one that broke off.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar

TryFailed = Callable[[bool, bool], Awaitable[None]]
"""Is told whether the server may have charged for a try that failed, and whether the request is about to be sent again.
What it raises ends the request."""


async def _nobody_pays(charged: bool, again: bool) -> None:
    pass


try_failed: ContextVar[TryFailed] = ContextVar("try_failed", default=_nobody_pays)
"""Called after each try that failed, by backends that send a request more than once."""
