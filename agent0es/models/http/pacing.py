"""Holding back: so much a minute, and not at all while a server answers nobody. State that all who ask it share."""

import time
from collections.abc import Callable
from weakref import WeakValueDictionary

from agent0es.models.base import GenerationRequest

LETTERS_A_TOKEN = 3
"""By which tokens are guessed."""
FAILURES = 3
"""Requests in a row that were given up, each after all of its tries, before the others are not even sent."""
PAUSE_SECONDS = 60.0
"""Then one is let through again."""

Clock = Callable[[], float]


def guessed_tokens(request: GenerationRequest) -> float:
    """Most tokens that a request will take, for the limit on them, before the server has counted."""
    letters = sum(len(message.content) for message in request.messages) + len(request.prefill)
    return letters / LETTERS_A_TOKEN + request.max_tokens


class Rate:
    """So much a minute, evenly spaced."""

    def __init__(self, a_minute: float, clock: Clock = time.monotonic) -> None:
        self._seconds_each = 60 / a_minute
        self._clock = clock
        self._free = clock()
        """When the next one may go."""

    def take(self, amount: float = 1) -> float:
        """Take a place behind those who asked before; the seconds until it is one's turn."""
        now = self._clock()
        turn = max(now, self._free)
        self._free = turn + amount * self._seconds_each
        return turn - now

    def give_back(self, amount: float) -> None:
        """What was taken and not needed; negative where more was needed."""
        self._free -= amount * self._seconds_each


class Breaker:
    """Opens when nothing is answered any more, so that nobody waits for what will not come."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._failed = 0
        self._until = 0.0
        self._why = ""

    def why(self) -> str | None:
        """Why no request is to be sent now; None where one may."""
        return self._why if self._clock() < self._until else None

    def answered(self) -> None:
        """A request was answered, be it with a refusal."""
        self._failed, self._until = 0, 0.0

    def gave_up(self, why: str) -> bool:
        """A request was given up. Whether that opens it."""
        self._failed += 1
        if self._failed >= FAILURES:
            self.open(why)
        return self._failed >= FAILURES

    def open(self, why: str) -> None:
        """Send no more, at once."""
        self._failed = FAILURES  # the next one that fails opens it again
        self._why, self._until = why, self._clock() + PAUSE_SECONDS


class Server:
    """What those share who ask the same server with the same key and limits."""

    def __init__(self, requests_per_minute: float | None, tokens_per_minute: float | None) -> None:
        self.breaker = Breaker()
        self.requests = Rate(requests_per_minute) if requests_per_minute else None
        self.tokens = Rate(tokens_per_minute) if tokens_per_minute else None

    def turn(self, tokens: float) -> float:
        """Take a place for one request of so many tokens; the seconds until it may be sent."""
        waits = (rate.take(amount) for rate, amount in ((self.requests, 1), (self.tokens, tokens)) if rate)
        return max(waits, default=0.0)


_servers: "WeakValueDictionary[tuple[object, ...], Server]" = WeakValueDictionary()


def server_of(
    url: str, variable: str | None, requests_per_minute: float | None, tokens_per_minute: float | None
) -> Server:
    """The one for these, as long as somebody holds it."""
    key = (url, variable, requests_per_minute, tokens_per_minute)
    found = _servers.get(key)
    if found is None:
        found = _servers[key] = Server(requests_per_minute, tokens_per_minute)
    return found
