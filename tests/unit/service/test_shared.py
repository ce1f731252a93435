"""What many ask for at once is made once, and never older than they know."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from agent0es.service import shared
from agent0es.service.shared import KEPT, Shared


class Made:
    """Counts how often an answer is made, of a log that grows."""

    def __init__(self) -> None:
        self.head, self.times = 5, 0

    def answer(self, of: Shared, needed: int, name: str = "one") -> bytes:
        return of.answer(name, needed, lambda: self.head, self.make)

    def make(self) -> bytes:
        self.times += 1
        return str(self.head).encode()


def test_fifty_who_ask_at_once_are_given_the_same() -> None:
    of, made, all_there = Shared(), Made(), threading.Barrier(50)

    def ask(_: int) -> bytes:
        all_there.wait()
        return made.answer(of, 5)

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(ask, range(50))) == {b"5"}
    assert made.times == 1


def test_who_knows_more_is_not_given_less() -> None:
    of, made = Shared(), Made()
    assert made.answer(of, 5) == b"5"
    made.head = 7
    assert made.answer(of, 5) == b"5", "as new as what it knows"
    assert made.answer(of, 6) == b"7"
    assert made.answer(of, 7) == b"7"
    assert made.times == 2


def test_an_answer_gets_old(monkeypatch: pytest.MonkeyPatch) -> None:
    of, made = Shared(), Made()
    made.answer(of, 5)
    monkeypatch.setattr(shared, "FRESH_SECONDS", -1.0)
    made.answer(of, 5)
    assert made.times == 2


def test_only_a_few_are_kept() -> None:
    of, made = Shared(), Made()
    for number in range(KEPT + 1):
        made.answer(of, 5, str(number))
    made.answer(of, 5, str(KEPT))
    assert made.times == KEPT + 1
    made.answer(of, 5, "0")
    assert made.times == KEPT + 2


def test_one_that_fails_is_not_kept() -> None:
    of, made = Shared(), Made()

    def fails() -> bytes:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        of.answer("one", 5, lambda: 5, fails)
    assert made.answer(of, 5) == b"5"
