"""How long a query may take, and how it is stopped."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

T = TypeVar("T")

AGAIN_SECONDS = 0.05
"""Until a query is interrupted once more: DuckDB forgets an interruption that comes just before a query begins."""


class Clock:
    """Interrupts a cursor when it has worked for so many seconds; without seconds never.

    Time between its steps, in which somebody looks at the rows, does not count.
    """

    def __init__(self, cursor: "DuckDBPyConnection", seconds: float | None) -> None:
        self._cursor = cursor
        self._left = seconds

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around each step. What is interrupted raises duckdb.InterruptException."""
        if self._left is None:
            yield
            return
        over = threading.Event()

        def interrupt_who_is_late(seconds: float) -> None:
            while not over.wait(seconds):
                self._cursor.interrupt()
                seconds = AGAIN_SECONDS

        watch = threading.Thread(target=interrupt_who_is_late, args=(max(self._left, 0.0),), daemon=True)
        begin = time.monotonic()
        watch.start()
        try:
            yield
        finally:
            over.set()
            watch.join()
            self._left -= time.monotonic() - begin

    def steps(self, items: Iterator[T]) -> Iterator[T]:
        """The items, each made while the clock runs."""
        while True:
            with self.running():
                item = next(items, None)
            if item is None:
                return
            yield item


def interruptibly(cursor: "DuckDBPyConnection", call: Callable[[], T]) -> T:
    """The call's result. DuckDB does not notice Ctrl-C, so it works in another thread and is told."""
    if threading.current_thread() is not threading.main_thread():
        return call()
    with ThreadPoolExecutor(1, "query") as worker:
        asked = worker.submit(call)
        try:
            return asked.result()
        except KeyboardInterrupt:
            while wait([asked], AGAIN_SECONDS).not_done:
                cursor.interrupt()
            raise
