"""How answers are waited for: many side by side, and one where nobody can await it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


async def side_by_side(answers: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All answers, in their order. Where one fails, its error is raised, and nobody waits for the others: they are
    cancelled, and have ended when this returns, so that a server stops, too."""
    asked = [asyncio.create_task(answer) for answer in answers]
    try:
        return list(await asyncio.gather(*asked))
    finally:
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


def waited_for(ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The answer, in a place that can't await it, perhaps within a running loop: it is asked for in a thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(ask())).result()
