"""Viewers of long events: each gets all of them in order, and none makes the service hold more than a little."""

import asyncio
from pathlib import Path

import pytest

from agent0es.domain import events as ev
from agent0es.domain.names import stream
from agent0es.log import EventLog, NewEvent
from agent0es.service import following
from agent0es.service.following import KEPT, PAGE_CHARACTERS, Following

LONG = 30_000
KEPT_CHARACTERS = 20 * LONG


def append(log: EventLog, count: int, length: int = LONG) -> None:
    again = ev.Retried(handler="solve", task=1, name=None, retry=1, error="x" * length)
    log.append([NewEvent(stream("run", "one"), again)] * count, handler="test")


async def seen(follows: Following, after: int, until: int) -> list[int]:
    """The positions that a viewer is told, to the last one."""
    found: list[int] = []
    async for page in follows.events(after):
        assert sum(len(one.text) for one in page[:-1]) <= PAGE_CHARACTERS
        found += [one.position for one in page]
        if found and found[-1] >= until:
            return found
    return found


@pytest.mark.parametrize(("count", "length"), [(60, LONG), (3, KEPT_CHARACTERS + 1), (KEPT + 200, 10)])
def test_everybody_is_told_everything_in_pages_that_are_not_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, length: int
) -> None:
    monkeypatch.setattr(following, "KEPT_CHARACTERS", KEPT_CHARACTERS)

    async def watch(log: EventLog) -> None:
        append(log, 40)
        follows = Following(log, asyncio.Event())
        early = [asyncio.create_task(seen(follows, after, 40 + count)) for after in (0, 17, 40)]
        await asyncio.sleep(0.2)  # they wait for what is to come, or read what was
        await asyncio.to_thread(append, log, count, length)
        assert [await one for one in early] == [list(range(after + 1, 41 + count)) for after in (0, 17, 40)]
        assert await seen(follows, 5, 40 + count) == list(range(6, 41 + count)), "one that comes late"
        assert sum(len(one.text) for one in follows._kept) <= KEPT_CHARACTERS and len(follows._kept) <= KEPT

    with EventLog.open(tmp_path / "log.db") as log:
        asyncio.run(watch(log))
