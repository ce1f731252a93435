"""The attempt is the unit of retry: one that was cut off is made again in a stream of its own."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from agent0es.domain import events as ev
from agent0es.domain.names import again, stream
from agent0es.domain.task import Scalar
from agent0es.errors import Agent0Error, TransientError
from agent0es.log import History, NewEvent
from agent0es.rollouts.retry import Retries, described
from agent0es.rollouts.rollout import Recorder

T = TypeVar("T")

INTERRUPTED = "the run was interrupted"
"""Why an attempt was cut off that another process had begun, or the parent of a fork."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """Sees that each attempt of a run comes to its end, whatever cuts it off."""

    run: str
    history: History
    """Where it is looked up what was begun and what has ended."""
    retries: Retries

    async def to_its_end(
        self,
        name: str,
        task: int | None,
        done: type[ev.Event],
        record: Recorder,
        make: Callable[[str], Awaitable[T]],
    ) -> T | None:
        """What `make(name)` returns; None when the history already has the attempt's end, an event of type `done`.

        One that fails in passing is abandoned and made again under another name, while those beside it go on.
        """
        reason, measured = INTERRUPTED, Agent0Error.measured

        async def once() -> T | None:
            own = await self._take_up(name, task, done, record, reason, measured)
            return None if own is None else await make(own)

        async def failed(retry: int, error: TransientError) -> None:
            nonlocal reason, measured
            reason, measured = described(error), error.measured

        return await self.retries(once, failed)

    async def _take_up(
        self,
        name: str,
        task: int | None,
        done: type[ev.Event],
        record: Recorder,
        reason: str,
        measured: Mapping[str, Scalar],
    ) -> str | None:
        """The name under which to make an attempt now; None when the history already has its end.

        What was cut off, for this `reason` and `measured` so, is abandoned: it keeps its audit trail.
        """
        plain, retry = name, 0
        while True:
            known = {type(r.event) for r in self.history.read(stream=("attempt", name))}
            if done in known:
                return None
            if not known:
                return name
            retry += 1
            next_name = again(plain, retry)
            if ev.AttemptAbandoned not in known:
                abandoned = ev.AttemptAbandoned(attempt=name, task=task, retried_as=next_name, reason=reason)
                await record([NewEvent(stream("attempt", self.run, name), abandoned, measured)])
            name = next_name
