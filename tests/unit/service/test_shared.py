"""Given viewers who ask for the same, when it is made, then all of them get what was begun after they asked."""

import asyncio
import gc
import threading
import time
from typing import Any

import pytest

from agent0es.service.shared import Shared


class Counted:
    """Makes answers that say how many there were. Each waits for its turn."""

    def __init__(self, *, held: bool = False) -> None:
        self.count, self.begun, self.turn = 0, threading.Event(), threading.Event()
        if not held:
            self.turn.set()

    def __call__(self) -> bytes:
        self.count += 1
        mine = self.count
        self.begun.set()
        self.turn.wait(10)
        return str(mine).encode()


async def test_fifty_who_ask_at_once_get_one_answer() -> None:
    made = Counted()
    shared = Shared()
    assert set(await asyncio.gather(*(shared.get("a", made) for _ in range(50)))) == {b"1"}
    assert await shared.get("b", made) == b"2", "another name, another answer"


async def test_who_asks_while_it_is_made_gets_the_next_one() -> None:
    made = Counted(held=True)
    shared = Shared(rest=0)
    first = asyncio.create_task(shared.get("a", made))
    await asyncio.to_thread(made.begun.wait, 10)
    others = [asyncio.create_task(shared.get("a", made)) for _ in range(3)]
    await asyncio.sleep(0)
    made.turn.set()
    assert await first == b"1", "begun before something was appended, which the others may have been told of"
    assert set(await asyncio.gather(*others)) == {b"2"}


async def test_nothing_is_made_again_at_once() -> None:
    shared = Shared(rest=9)

    def slow() -> bytes:
        time.sleep(0.02)
        return b""

    begin = time.monotonic()
    for _ in range(3):
        await shared.get("a", slow)
    assert time.monotonic() - begin >= 3 * 0.02 + 2 * 9 * 0.02


async def test_a_fault_reaches_all_and_is_not_kept() -> None:
    shared = Shared(rest=0)

    def fails() -> bytes:
        raise OSError("no")

    found = await asyncio.gather(*(shared.get("a", fails) for _ in range(3)), return_exceptions=True)
    assert [str(one) for one in found] == ["no"] * 3
    assert await shared.get("a", Counted()) == b"1"


async def test_one_who_goes_away_takes_nobody_along() -> None:
    made = Counted(held=True)
    shared = Shared()
    gone, stays = (asyncio.create_task(shared.get("a", made)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    made.turn.set()
    assert await stays == b"1"
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_a_fault_that_nobody_waits_for_is_nobodys() -> None:
    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    shared, begun, turn = Shared(), threading.Event(), threading.Event()

    def fails() -> bytes:
        begun.set()
        turn.wait(10)
        raise OSError("no")

    asked = asyncio.create_task(shared.get("a", fails))
    await asyncio.to_thread(begun.wait, 10)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    turn.set()
    await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
    gc.collect()
    assert said == []


async def test_names_that_nobody_asks_for_are_not_kept() -> None:
    shared = Shared(rest=1)
    for number in range(20):
        await shared.get(f"run {number}", Counted())
    for _ in range(200):
        if not shared._not_before:
            break
        await asyncio.sleep(0.05)
    assert not shared._not_before and not shared._coming and not shared._asked
