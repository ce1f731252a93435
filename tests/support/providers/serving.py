"""What the providers' servers share: the one key that they take, errors, streams, and how one of them is run."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

from tests.support.http_server import Answer, Request, json_answer
from tests.support.providers.words import Speak

KEY = "sk-test-4f0c1a9b7d2e8f63"
OF_FORMAT = 7
"""Tokens that a chat's format takes, beside its texts."""

Provider = Callable[[Request, Speak | None], Answer]
"""Raises Refused."""


class Refused(Exception):
    """An error that a provider answers with."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


def refused(status: int, body: Any, **headers: str) -> Refused:
    return Refused(json_answer(body, status, **headers))


def served(provider: Provider, speak: Speak | None = None) -> Callable[[Request], Awaitable[Answer]]:
    """A provider as the raw server takes it."""

    async def answer(request: Request) -> Answer:
        try:
            return provider(request, speak)
        except Refused as no:
            return no.answer

    return answer


def named_events(events: Iterable[tuple[str, Any]]) -> Answer:
    """Server-sent events with names, which may be empty; a text is sent as it is."""

    async def pieces() -> AsyncIterator[bytes]:
        for name, data in events:
            text = data if isinstance(data, str) else json.dumps(data)
            yield (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()

    return Answer(pieces(), headers={"content-type": "text/event-stream; charset=utf-8"})


def bearer(request: Request) -> str:
    """The key in its usual header."""
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def texts(content: Any) -> list[str]:
    """The texts of a message: one, or parts that have one."""
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content or [] if isinstance(part, dict) and "text" in part]
